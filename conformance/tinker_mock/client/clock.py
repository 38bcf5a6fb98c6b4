"""Time as the client sees it: injected, so that no test ever sleeps.

`RealClock` is the default. `ManualClock` moves only when told (`advance`), or, with
`autojump=True`, jumps to the next timer as soon as every task is waiting for one.
"""

import asyncio
import heapq
import itertools
import time
from collections.abc import Awaitable
from typing import Protocol, TypeVar

T = TypeVar("T")


class Clock(Protocol):
    """What the client needs of time. All durations are seconds."""

    def now(self) -> float:
        """Unix time in seconds: for time stamps on the wire."""
        ...

    def monotonic(self) -> float:
        """Seconds since an arbitrary start: for delays and deadlines."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Return after `seconds`; at once when they are not positive."""
        ...


class RealClock:
    """The machine's clock."""

    def now(self) -> float:
        return time.time()

    def monotonic(self) -> float:
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(max(0.0, seconds))


class ScaledClock:
    """The machine's clock, `rate` times as fast: beside a server whose clock is as fast."""

    def __init__(self, rate: float) -> None:
        self._rate = rate
        self._start = time.time()
        self._origin = time.monotonic()

    def now(self) -> float:
        return self._start + self.monotonic()

    def monotonic(self) -> float:
        return (time.monotonic() - self._origin) * self._rate

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(max(0.0, seconds) / self._rate)


class ManualClock:
    """A clock for tests: it stands still until `advance`, or jumps to the next timer.

    `sleeps` lists every sleep that was asked for, in seconds, in order.
    """

    _SETTLE_ROUNDS = 12  # a task may hand over to another a few times before all of them wait

    def __init__(self, start: float = 1_750_000_000.0, *, autojump: bool = False) -> None:
        self._start = start
        self._elapsed = 0.0
        self._autojump = autojump
        self._order = itertools.count()
        self._timers: list[tuple[float, int, asyncio.Event]] = []
        self.sleeps: list[float] = []

    def now(self) -> float:
        return self._start + self._elapsed

    def monotonic(self) -> float:
        return self._elapsed

    async def sleep(self, seconds: float) -> None:
        self.sleeps.append(seconds)
        if seconds <= 0:
            await asyncio.sleep(0)
            return
        event = asyncio.Event()
        due = self._elapsed + seconds
        heapq.heappush(self._timers, (due, next(self._order), event))
        if self._autojump:
            for _ in range(self._SETTLE_ROUNDS):
                await asyncio.sleep(0)
            while not event.is_set():
                self._fire_next()
        await event.wait()

    async def advance(self, seconds: float) -> None:
        """Move time on, firing due timers one by one and letting their tasks run."""
        target = self._elapsed + seconds
        await self._settle()
        while self._timers and self._timers[0][0] <= target:
            self._fire_next()
            await self._settle()
        self._elapsed = max(self._elapsed, target)

    async def _settle(self) -> None:
        for _ in range(self._SETTLE_ROUNDS):
            await asyncio.sleep(0)

    def _fire_next(self) -> None:
        due, _, event = heapq.heappop(self._timers)
        self._elapsed = max(self._elapsed, due)
        event.set()


async def within(clock: Clock, awaitable: Awaitable[T], seconds: float | None) -> T:
    """Await something, at most `seconds` long by this clock.

    Raises `TimeoutError`; what was awaited is cancelled then.
    """
    work = asyncio.ensure_future(awaitable)
    if seconds is None:
        return await work
    timer = asyncio.ensure_future(clock.sleep(seconds))
    try:
        await asyncio.wait({work, timer}, return_when=asyncio.FIRST_COMPLETED)
        if work.done():
            return work.result()
        raise TimeoutError(f"nothing came within {seconds:g} s")
    finally:
        timer.cancel()
        if not work.done():
            work.cancel()
