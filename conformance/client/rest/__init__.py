"""What exists on the server: runs, checkpoints, sessions, bills."""
