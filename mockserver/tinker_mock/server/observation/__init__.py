"""What people want to see of the work while it runs: curves per optimizer step, recent samples."""

from tinker_mock.server.observation.observer import Observer

__all__ = ["Observer"]
