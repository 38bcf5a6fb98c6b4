"""Promises: accepted operations, the lanes they run in, and those who wait for them."""

from tinker_mock.server.promises.book import PromiseBook
from tinker_mock.server.promises.policy import CompletionPolicy, QueueState

__all__ = ["CompletionPolicy", "PromiseBook", "QueueState"]
