"""Promises: accepted operations, the lanes they run in, and those who wait for them."""

from mockserver.promises.book import Limits, PromiseBook
from mockserver.promises.policy import CompletionPolicy, Immediate, QueueState
from mockserver.promises.promise import Lane, Outcome, Promise

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
