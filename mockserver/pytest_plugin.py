"""pytest fixtures that start the mock."""
