"""Keeping the state beyond the process: a directory with a database and files of weights."""
