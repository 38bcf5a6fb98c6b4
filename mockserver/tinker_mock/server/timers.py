"""Timers in the order they fire: by time, then by the order they were set."""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable

SMALL = 256
"""Timers that are not worth looking through."""


class Timer:
    """One pending callback; ``cancel`` is idempotent and safe after firing."""

    __slots__ = ("background", "callback", "order", "when")

    def __init__(
        self, when: float, order: int, callback: Callable[[], object], background: bool
    ) -> None:
        self.when = when
        self.order = order
        self.background = background
        self.callback: Callable[[], object] | None = callback

    def cancel(self) -> None:
        self.callback = None

    def __lt__(self, other: Timer) -> bool:
        return (self.when, self.order) < (other.when, other.order)


class TimerQueue:
    """Timers in firing order; cancelled ones are dropped lazily."""

    def __init__(self) -> None:
        self._heap: list[Timer] = []
        self._orders = itertools.count()
        self._full = SMALL

    def add(self, when: float, callback: Callable[[], object], background: bool) -> Timer:
        timer = Timer(when, next(self._orders), callback, background)
        heapq.heappush(self._heap, timer)
        if len(self._heap) > self._full:
            self._compact()
        return timer

    def _compact(self) -> None:
        """Drop the cancelled ones behind one that is still to fire, however far off that is."""
        self._heap = [timer for timer in self._heap if timer.callback is not None]
        heapq.heapify(self._heap)
        self._full = max(SMALL, 2 * len(self._heap))

    def head(self) -> Timer | None:
        while self._heap and self._heap[0].callback is None:
            heapq.heappop(self._heap)
        return self._heap[0] if self._heap else None

    def pop_due(self, until: float) -> Timer | None:
        head = self.head()
        if head is None or head.when > until:
            return None
        return heapq.heappop(self._heap)

    def pending(self) -> list[Timer]:
        return sorted(timer for timer in self._heap if timer.callback is not None)

    def first_foreground(self) -> Timer | None:
        waiting = (t for t in self._heap if t.callback is not None and not t.background)
        return min(waiting, default=None)
