"""The engine's worker threads: shared fairly by tenants, left at once by work nobody wants.

As many threads work at a time as there are `workers`. Work that ran for a turn while others wait
steps back at its next checkpoint, whoever used least goes on, and a newcomer counts as one who
used as much as those who wait. Short work goes before long work, so that a training step does not
wait for a round of everybody's hours; long work has every so-manieth turn for its own.
"""

import asyncio
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar, copy_context
from operator import attrgetter, methodcaller
from queue import SimpleQueue
from typing import Any, TypeVar

from tinker_mock.server.budget import MIB, Budget, Memory, Stopped, current
from tinker_mock.server.clock import Clock
from tinker_mock.server.errors import GoingDown
from tinker_mock.server.service.pace import Pace
from tinker_mock.server.settings import WorkLimits

T = TypeVar("T")
TURN = 0.005
"""Seconds that work may run before others go first."""
SHORT = 0.1
"""Seconds of turns up to which work is short."""
LONG_TURNS = 4
"""One turn of so many does not ask who is short."""
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

    def __init__(self, owner: str, call: Callable[[], Any], budget: Budget) -> None:
        self.owner = owner
        self.call = call
        self.budget = budget
        self.loop = asyncio.get_running_loop()
        self.future: asyncio.Future[Any] = self.loop.create_future()
        self.context = copy_context()
        self.since = 0.0
        self.spent = 0.0
        """Seconds of its turns before this one."""
        self.turn: threading.Lock | None = None
        """Held by the thread that waits for its next turn."""

    def called(self) -> Any:
        """The call, under its budget."""
        current.set(self.budget)
        self.budget.begin()
        self.budget.check()
        return self.call()

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


class Threads:
    """Daemon threads; one is made when all others are busy. Not safe by itself.

    A thread keeps the arrays it worked on last, so those of a server that ended must end too.
    """

    def __init__(self, run: Callable[[Work], None]) -> None:
        self.idle = 0
        self._count = 0
        self._run = run
        self._todo: SimpleQueue[Work | None] = SimpleQueue()

    def begin(self, work: Work) -> None:
        """Do it in a thread, which says `idle` when it is done."""
        self._todo.put(work)
        if self.idle:
            self.idle -= 1
        else:
            self._count += 1
            threading.Thread(target=self._serve, name="engine", daemon=True).start()

    def end(self) -> None:
        """Let every thread end when it has done what was begun."""
        for _ in range(self._count):
            self._todo.put(None)

    def _serve(self) -> None:
        while (work := self._todo.get()) is not None:
            self._run(work)


class Share:
    """One tenant's work. `used`: seconds, counted from the same zero for everybody."""

    def __init__(self) -> None:
        self.used = 0.0
        self.present = 0
        self.begun = 0
        self.new: deque[Work] = deque()
        self.paused: deque[Work] = deque()

    def place(self, most_begun: int) -> tuple[bool, float]:
        """Its place among those who wait: short work first, then whoever used least."""
        queue = self.waiting(most_begun)
        return queue is not None and queue[0].spent > SHORT, self.used

    def waiting(self, most_begun: int) -> deque[Work] | None:
        """Where the work is that comes next, new or paused in turn."""
        if self.new and self.begun < most_begun:
            return self.new
        return self.paused or None


class Compute:
    """Runs engine work in a thread; a manual clock does not jump meanwhile."""

    def __init__(self, clock: Clock, limits: WorkLimits) -> None:
        self.clock = clock
        self.limits = limits
        self._memory = Memory(limits.memory * MIB * MEMORY_SHARES)
        self._lock = threading.Lock()
        self._free = limits.threads
        self._shares: dict[str, Share] = {}
        self._waiting = 0
        self._turns = 0
        self._zero = 0.0
        """What a newcomer is taken to have used."""
        self._works: set[Work] = set()
        self._closed = False
        self._threads = Threads(self._perform)

    async def __call__(self, function: Callable[..., T], *arguments: Any) -> T:
        """The function's result. Work ends at its next checkpoint when the caller is cancelled.

        Raises BudgetSpent for work beyond the limits, GoingDown once the server stops.
        """
        if self._closed:
            raise GoingDown("the server is shutting down", fix="repeat the request")
        budget = Budget(self.limits.seconds, self.limits.memory * MIB, self._memory)
        work = Work(tenant.get(), lambda: function(*arguments), budget)
        budget.rest = lambda: self._rest(work)
        with self.clock.busy():
            self._enter(work)
            try:
                result: T = await work.future
                return result
            finally:
                budget.stopped = True

    async def paced(self, pace: Pace, size: int, function: Callable[..., T], *arguments: Any) -> T:
        """The function's result, on the loop where the pace says that work of this size is short
        and no other work waits. Raises as any work does."""

        def timed() -> T:
            begun = time.perf_counter()
            result = function(*arguments)
            pace.note(size, time.perf_counter() - begun)
            return result

        if self._closed or self._waiting or not pace.short(size):
            return await self(timed)
        budget = Budget(self.limits.seconds, self.limits.memory * MIB, self._memory)
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

    # --- turns ------------------------------------------------------------------------------

    def _enter(self, work: Work) -> None:
        with self._lock:
            self._works.add(work)
            owner = self._shares.setdefault(work.owner, Share())
            owner.used = max(owner.used, self._zero)
            owner.present += 1
            owner.new.append(work)
            self._waiting += 1
            self._hand_out()

    def _perform(self, work: Work) -> None:
        """In a thread, with a turn: the whole of the work."""
        result, error = None, None
        try:
            result = work.context.run(work.called)
        except BaseException as problem:
            error = problem
        work.done()
        with self._lock:
            self._leave(work)
            self._threads.idle += 1
            self._hand_out()
        with suppress(RuntimeError):  # the loop is closed: nobody waits any more
            work.loop.call_soon_threadsafe(work.settle, result, error)

    def _leave(self, work: Work) -> None:
        owner = self._shares[work.owner]
        owner.used += time.perf_counter() - work.since
        owner.begun -= 1
        owner.present -= 1
        if not owner.present:
            del self._shares[work.owner]
        self._works.discard(work)
        self._free += 1

    def _rest(self, work: Work) -> None:
        """At a checkpoint: when the turn is over and others wait, let them go first."""
        if not self._waiting or time.perf_counter() - work.since < TURN:
            return
        with self._lock:
            if self._closed:
                raise Stopped
            owner = self._shares[work.owner]
            turn = time.perf_counter() - work.since
            owner.used += turn
            work.spent += turn
            owner.paused.append(work)
            work.turn = threading.Lock()
            work.turn.acquire()
            self._free += 1
            self._waiting += 1
            self._hand_out()
        work.turn.acquire()
        if work.budget.stopped:
            raise Stopped

    def _hand_out(self) -> None:
        """Give free turns to short work, and to the tenants who used least. The lock is held."""
        by_use, by_place = attrgetter("used"), methodcaller("place", self.limits.threads)
        while self._free and self._waiting:
            ready = [owner for owner in self._shares.values() if owner.waiting(self.limits.threads)]
            if not ready:
                return
            self._turns += 1
            alike = self._turns % LONG_TURNS == 0
            owner = min(ready, key=by_use if alike else by_place)
            queue = owner.waiting(self.limits.threads)
            assert queue is not None
            work = queue.popleft()
            self._zero = max(self._zero, owner.used)
            self._free -= 1
            self._waiting -= 1
            work.since = time.perf_counter()
            if queue is owner.paused:
                _wake(work)
            else:
                owner.begun += 1
                self._threads.begin(work)


def _wake(work: Work) -> None:
    if work.turn is not None and work.turn.locked():
        work.turn.release()
