"""The edge: everything between the socket and a handler. Pure ASGI, one pipeline."""
