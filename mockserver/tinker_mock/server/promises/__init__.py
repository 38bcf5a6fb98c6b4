"""Promises: accepted operations, the lanes they run in, and those who wait for them."""

from tinker_mock.server.promises.book import Limits, PromiseBook
from tinker_mock.server.promises.policy import CompletionPolicy, Immediate, QueueState
from tinker_mock.server.state.promise import Lane, Outcome, Promise

__all__ = [
    "CompletionPolicy",
    "Immediate",
    "Lane",
    "Limits",
    "Outcome",
    "Promise",
    "PromiseBook",
    "QueueState",
]
