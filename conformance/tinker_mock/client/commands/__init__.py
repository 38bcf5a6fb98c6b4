"""`tinker-mock client …`: checkpoints, runs, sampling and version from a terminal."""
