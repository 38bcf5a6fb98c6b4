"""The engine's worker threads: shared fairly by tenants, left at once by work nobody wants.

As many threads work at a time as there are `threads`, and one more that does small work only.
Work that ran for a turn while others wait steps back at its next checkpoint. While there is small
work, all other steps aside for a moment at each checkpoint: threads share one interpreter.
"""

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar, copy_context
from typing import Any, TypeVar

from tinker_mock.server.budget import MIB, Budget, Memory, Stopped, current
from tinker_mock.server.clock import Clock
from tinker_mock.server.errors import GoingDown
from tinker_mock.server.service.pace import SMALL, Pace
from tinker_mock.server.service.threads import Threads
from tinker_mock.server.service.turns import TURN, Turns
from tinker_mock.server.settings import WorkLimits

T = TypeVar("T")
SMALL_WORKERS = 1
SMALL_SECONDS = 0.02
"""Of turns up to which work that was said to be small counts as such."""
ASIDE = 0.002
"""Seconds for which other work waits until small work is done."""
MEMORY_SHARES = 4
"""All work together may hold as much as so many operations."""

tenant: ContextVar[str] = ContextVar("tenant", default="")
"""On whose behalf the current task works."""


@contextmanager
def on_behalf_of(tenant_id: str) -> Iterator[None]:
    """Work that is asked for inside counts as this tenant's."""
    token = tenant.set(tenant_id)
    try:
        yield
    finally:
        tenant.reset(token)


def _no_rest() -> None:
    """What is over needs no rest."""


class Work:
    """One function call, from the queue to its end."""

    def __init__(
        self, owner: str, call: Callable[[], Any], budget: Budget, turns: Turns[Any]
    ) -> None:
        self.owner = owner
        self.call = call
        self.budget = budget
        self.turns = turns
        self.loop = asyncio.get_running_loop()
        self.future: asyncio.Future[Any] = self.loop.create_future()
        self.context = copy_context()
        self.moment = 0.0
        """When its turn began."""
        self.since = 0.0
        self.spent = 0.0
        self.begun = False
        self.resumed: threading.Lock | None = None
        """Held by the thread that waits for its next turn."""

    def called(self) -> Any:
        """The call, under its budget."""
        current.set(self.budget)
        self.moment, self.since = self.budget.begin()
        self.budget.check()
        return self.call()

    def turn(self) -> float:
        """Processor seconds of the turn, in the thread that has it."""
        passed = time.perf_counter() - self.moment
        # Asking for the processor's share is a call of the system, and less than what passed.
        return passed if passed < TURN else time.thread_time() - self.since

    def done(self) -> None:
        """Let go of all that it held, and of the circle that it is part of."""
        self.budget.release()
        self.budget.rest = _no_rest
        self.call = _no_rest

    def settle(self, result: Any, error: BaseException | None) -> None:
        """On the loop: tell who waits."""
        if self.future.done():
            return
        if error is None:
            self.future.set_result(result)
        elif isinstance(error, Stopped):
            self.future.cancel()
        else:
            self.future.set_exception(error)


class Compute:
    """Runs engine work in a thread; a manual clock does not jump meanwhile."""

    def __init__(self, clock: Clock, limits: WorkLimits) -> None:
        self.clock = clock
        self.limits = limits
        self._memory = Memory(limits.memory * MIB * MEMORY_SHARES)
        self._lock = threading.Lock()
        self._small: Turns[Work] = Turns(SMALL_WORKERS)
        self._other: Turns[Work] = Turns(limits.threads)
        self._works: set[Work] = set()
        self._closed = False
        self._threads: Threads[Work] = Threads(self._perform)

    async def __call__(self, function: Callable[..., T], *arguments: Any) -> T:
        """The function's result. Work ends at its next checkpoint when the caller is cancelled.

        Raises BudgetSpent for work beyond the limits, GoingDown once the server stops.
        """
        return await self.run(function, *arguments)

    async def run(self, function: Callable[..., T], *arguments: Any, small: bool = False) -> T:
        """As a call; work that is said to be small does not wait for any that is not."""
        if self._closed:
            raise GoingDown("the server is shutting down", fix="repeat the request")
        turns = self._small if small else self._other
        work = Work(tenant.get(), lambda: function(*arguments), self._budget(), turns)
        work.budget.rest = lambda: self._rest(work)
        with self.clock.busy():
            with self._lock:
                self._works.add(work)
                turns.enter(work)
                self._hand_out()
            try:
                result: T = await work.future
                return result
            finally:
                work.budget.stopped = True

    async def paced(self, pace: Pace, size: int, function: Callable[..., T], *arguments: Any) -> T:
        """The function's result, on the loop where the pace says that work of this size is short
        and no other work waits. Raises as any work does."""

        def timed() -> T:
            begun = time.perf_counter()
            result = function(*arguments)
            pace.note(size, time.perf_counter() - begun)
            return result

        busy = self._closed or self._small.waiting or self._other.waiting
        if busy or not pace.short(size):
            return await self.run(timed, small=0 < size < SMALL)
        budget = self._budget()
        token = current.set(budget)
        try:
            return timed()
        finally:
            current.reset(token)
            budget.release()

    def close(self) -> None:
        """End everything at its next checkpoint, and begin nothing more."""
        with self._lock:
            self._closed = True
            for work in self._works:
                work.budget.stopped = True
                _wake(work)
            self._threads.end()

    def _budget(self) -> Budget:
        return Budget(self.limits.seconds, self.limits.memory * MIB, self._memory)

    def _perform(self, work: Work) -> None:
        """In a thread, with a turn: the whole of the work."""
        result, error = None, None
        try:
            result = work.context.run(work.called)
        except BaseException as problem:
            error = problem
        work.done()
        with self._lock:
            work.turns.leave(work)
            self._works.discard(work)
            self._threads.idle += 1
            self._hand_out()
        with suppress(RuntimeError):  # the loop is closed: nobody waits any more
            work.loop.call_soon_threadsafe(work.settle, result, error)
        del error  # it remembers this frame

    def _rest(self, work: Work) -> None:
        """At a checkpoint: when the turn is over and others wait, let them go first."""
        if work.turns is self._other and not self._small.idle.is_set():
            self._small.idle.wait(ASIDE)
        turn = work.turn()
        outgrown = work.turns is self._small and work.spent + turn > SMALL_SECONDS
        if not outgrown and (not work.turns.waiting or turn < TURN):
            return
        with self._lock:
            if self._closed:
                raise Stopped
            work.resumed = threading.Lock()
            work.resumed.acquire()
            if outgrown:
                work.turns.leave(work)
                work.turns = self._other
                work.turns.enter(work)
            else:
                work.turns.pause(work)
            self._hand_out()
        work.resumed.acquire()
        work.moment, work.since = time.perf_counter(), time.thread_time()
        if work.budget.stopped:
            raise Stopped

    def _hand_out(self) -> None:
        """Give free turns to who is next. The lock is held."""
        for turns in (self._small, self._other):
            while (work := turns.next()) is not None:
                if work.begun:
                    _wake(work)
                else:
                    work.begun = True
                    self._threads.begin(work)


def _wake(work: Work) -> None:
    if work.resumed is not None and work.resumed.locked():
        work.resumed.release()
