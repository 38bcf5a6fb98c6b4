"""Losses computed by the caller, and penalties on top of them."""
