"""How long finished promises are known: readable, then expired (410), then forgotten (404).

A result is readable for the retention time, and remembered for as long again; both count from when
its work ended, whoever asks in between. One that has been read gives way once `most` others have
been read after it.
"""

import math
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

from tinker_mock.server.budget import MIB
from tinker_mock.server.clock import Clock
from tinker_mock.server.settings import MAX_RESULTS
from tinker_mock.server.state.promise import DONE, Promise
from tinker_mock.server.state.store import Store

VALUE = 32
"""Bytes of a value of plain data."""
NONE: list[str] = []
"""The sequences of every promise that has expired."""
Due = OrderedDict[str, float]
"""Request ids, and the Unix time when their work ended where that counts; oldest first."""


class Retention:
    """Decides which finished promises of a store are still known."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        seconds: Callable[[], float],
        most: int,
        most_memory: int = MAX_RESULTS,
    ) -> None:
        self.store = store
        self.clock = clock
        self.seconds = seconds
        self.most = most
        self.most_bytes = most_memory * MIB
        self.bytes = 0
        self._weights: dict[str, int] = {}
        self._finished: Due = OrderedDict()
        self._read: Due = OrderedDict()
        self._expired: Due = OrderedDict()

    def restart(self) -> None:
        """Another state: find out anew what has finished, been read and expired."""
        for due in (self._finished, self._read, self._expired):
            due.clear()
        self.bytes = 0
        self._weights.clear()
        known = self.store.current.promises.values()
        ended = [promise for promise in known if promise.finished_at is not None]
        for promise in sorted(ended, key=lambda promise: promise.finished_at or 0.0):
            self.finished(promise)
            if promise.acknowledged:
                self.read(promise)

    def finished(self, promise: Promise) -> None:
        """The promise has ended."""
        due = self._expired if promise.state == "expired" else self._finished
        due[promise.request_id] = promise.finished_at or self.clock.now()
        if promise.outcome is not None and due is self._finished:
            self._weigh(promise.request_id, weight_of(promise.outcome.result))
            while self.bytes > self.most_bytes and len(self._finished) > 1:
                self._expire(next(iter(self._read or self._finished)))

    def _weigh(self, request_id: str, weight: int) -> None:
        self.bytes += weight - self._weights.pop(request_id, 0)
        if weight:
            self._weights[request_id] = weight

    def read(self, promise: Promise) -> None:
        """Its outcome is being told to the client."""
        if promise.request_id in self._finished:
            self._read[promise.request_id] = 0.0
            self._read.move_to_end(promise.request_id)
        while len(self._read) > self.most:
            self._expire(next(iter(self._read)))

    def judge(self, promise: Promise) -> None:
        """Expire or forget one promise whose time is over, before somebody is told of it."""
        request_id, age = promise.request_id, self.clock.now() - (promise.finished_at or math.inf)
        known = request_id in self._finished or request_id in self._expired
        if known and age > 2 * self.seconds():
            self.forget(promise)
        elif request_id in self._finished and age > self.seconds():
            self._expire(request_id)

    def sweep(self) -> None:
        """Expire and forget all whose time is over."""
        now, seconds = self.clock.now(), self.seconds()
        while self._finished and next(iter(self._finished.values())) < now - seconds:
            self._expire(next(iter(self._finished)))
        while self._expired and next(iter(self._expired.values())) < now - 2 * seconds:
            self._forget_oldest()

    def expire(self, promise: Promise) -> None:
        """Make a finished promise unreadable now."""
        self._finished.setdefault(promise.request_id, self.clock.now())
        self._expire(promise.request_id)

    def _expire(self, request_id: str) -> None:
        ended = self._finished.pop(request_id)
        self._read.pop(request_id, None)
        self._weigh(request_id, 0)
        self._expired.setdefault(request_id, ended)
        promise = self.store.current.promises.get(request_id)
        if promise is not None:
            promise.state, promise.outcome, promise.payload = "expired", None, DONE
            promise.sequence_ids = NONE
        if len(self._expired) > self.most:
            self._forget_oldest()

    def _forget_oldest(self) -> None:
        request_id = next(iter(self._expired))
        promise = self.store.current.promises.get(request_id)
        if promise is None:
            del self._expired[request_id]
        else:
            self.forget(promise)

    def forget(self, promise: Promise) -> None:
        """Know nothing of a finished promise any longer."""
        for due in (self._finished, self._read, self._expired):
            due.pop(promise.request_id, None)
        self._weigh(promise.request_id, 0)
        self.store.current.promises.pop(promise.request_id)
        lane = self.store.current.lanes.get(promise.lane_id)
        if lane is not None:
            lane.forget(promise)


def weight_of(result: Any) -> int:
    """Bytes that a result takes in memory, about."""
    if result is None:
        return VALUE
    if hasattr(result, "nbytes"):
        return int(result.nbytes)
    if isinstance(result, str | bytes):
        return VALUE + len(result)
    if isinstance(result, dict):
        return VALUE + sum(map(weight_of, result.values()))
    if isinstance(result, list | tuple):
        return VALUE + sum(map(weight_of, result))
    names = getattr(result, "__dataclass_fields__", ())
    return VALUE + sum(weight_of(getattr(result, name)) for name in names)
