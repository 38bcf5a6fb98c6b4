"""What one piece of work may use, and whether anybody still wants it.

Work that can take long calls `checkpoint` between its slices: there it ends when its client left
or the server stops, ends when it used up its time, and lets others go first. What it is about to
allocate it asks for with `reserve`. Outside a worker thread both do nothing.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from tinker_mock.server.errors import ServiceError

MIB = 1 << 20


class BudgetSpent(ServiceError):
    """The work is more than the server does for one operation."""

    status = 422
    kind = "budget"


class Stopped(BaseException):
    """Nobody wants the work any more. No handler of errors may keep it alive."""


class Memory:
    """What all work together may hold, in bytes. Who holds most gives way when it runs short."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.held = 0
        self._holders: set[Budget] = set()
        self._lock = threading.Lock()

    def take(self, budget: Budget, size: int) -> None:
        """Count `size` bytes more (less, if negative) as the budget's."""
        with self._lock:
            self.held += size
            budget.held += size
            if budget.held:
                self._holders.add(budget)
            else:
                self._holders.discard(budget)
            if self.held > self.size and size > 0:
                max(self._holders, key=lambda holder: holder.held).evicted = True


class Budget:
    """Of one piece of work. `seconds` of its thread's processor time, `most` bytes of `memory`.

    `rest` is called at every checkpoint and may hold the thread back while others run.
    """

    def __init__(
        self, seconds: float, most: int, memory: Memory, rest: Callable[[], None] = lambda: None
    ) -> None:
        self.seconds = seconds
        self.most = most
        self.memory = memory
        self.rest = rest
        self.held = 0
        self.stopped = False
        self.evicted = False
        self._begun = time.perf_counter()
        self._start: float | None = None

    def begin(self) -> tuple[float, float]:
        """The calling thread, which is there for such work, starts it: its time counts from here.

        The moment, and the thread's processor time.
        """
        self._begun, self._start = time.perf_counter(), time.thread_time()
        return self._begun, self._start

    def check(self) -> None:
        """Raises Stopped or BudgetSpent."""
        if self.stopped:
            raise Stopped
        if self.evicted:
            raise self._too_much("the server runs short of memory, and the operation holds most")
        if self._late():
            raise BudgetSpent(
                f"the operation took more than {self.seconds:g} s of computing",
                rule=f"at most {self.seconds:g} s an operation",
                fix="send less at a time, or serve with a greater --work-seconds",
            )
        self.rest()

    def _late(self) -> bool:
        """Whether the time is used up; less than that has passed at all, mostly."""
        if time.perf_counter() - self._begun <= self.seconds:
            return False
        return self._start is None or time.thread_time() - self._start > self.seconds

    def reserve(self, size: int) -> None:
        """Take `size` bytes; raises BudgetSpent before they are allocated."""
        if self.held + size > self.most:
            most = self.most // MIB
            raise self._too_much(f"intermediate values need more than {most} MiB")
        self.memory.take(self, size)
        self.check()

    def release(self, held: int = 0) -> None:
        """Give back all but `held` bytes."""
        if self.held != held:
            self.memory.take(self, held - self.held)

    def _too_much(self, problem: str) -> BudgetSpent:
        return BudgetSpent(
            problem,
            rule=f"at most {self.most // MIB} MiB an operation",
            fix="send less at a time, or serve with a greater --work-memory",
        )


current: ContextVar[Budget | None] = ContextVar("budget", default=None)
"""The budget of the work that this thread does."""


def checkpoint() -> None:
    """Between two slices of work; raises Stopped or BudgetSpent."""
    budget = current.get()
    if budget is not None:
        budget.check()


def reserve(size: int) -> None:
    """Before `size` bytes are allocated and kept; raises BudgetSpent."""
    budget = current.get()
    if budget is not None:
        budget.reserve(size)


@contextmanager
def scratch() -> Iterator[None]:
    """What is reserved inside is free again at the end."""
    budget = current.get()
    held = budget.held if budget is not None else 0
    try:
        yield
    finally:
        if budget is not None:
            budget.release(held)
