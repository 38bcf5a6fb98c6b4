"""Judging a server."""
