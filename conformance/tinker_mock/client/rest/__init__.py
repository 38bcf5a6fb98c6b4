"""Checkpoints, runs, sessions: the calls that answer at once."""
