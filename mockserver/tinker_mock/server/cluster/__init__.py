"""Servers that share a store: who is there, who owns what, and requests on their way to owners."""
