"""Behaviour, one module per contract chapter. Nothing here knows any particular server."""
