"""Everything between the socket and whoever answers. Pure ASGI, one path."""
