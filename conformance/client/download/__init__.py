"""Fetching a checkpoint's files."""
