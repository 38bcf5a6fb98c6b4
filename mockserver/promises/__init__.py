"""Promises: accepted operations, the lanes they run in, and those who wait for them."""
