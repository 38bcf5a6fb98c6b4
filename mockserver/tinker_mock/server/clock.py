"""Time for the whole server: every timer, deadline and timestamp goes through one clock.

Three clocks share one ordered timer queue and differ in what makes time pass:

* ``RealClock``: the machine's time.
* ``ScaledClock(rate)``: the machine's time, ``rate`` times faster (or slower).
* ``ManualClock``: time stands still until ``advance``; with ``autojump`` it leaps to the next
  timer as soon as nothing but timers is left and somebody waits for one (a parked poll, a held
  answer), so a 30 s wait takes no time at all.

Timers due at the same instant fire in the order they were set. A clock belongs to one event
loop; ``call_at``, ``wait_for`` and ``busy`` are called from that loop's thread only.
"""

import asyncio
import time
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Protocol, TypeVar

from tinker_mock.server.timers import Timer, TimerQueue

DEFAULT_START = 1_767_225_600.0  # 2026-01-01T00:00:00Z, where a manual clock starts
LATEST = 253_402_300_799.0
"""The last second that times on the wire have a form for: they have years of four digits."""
UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
"""Seconds of each unit that a duration may be written in: `250ms`, `2s`, `5m`, `1h`."""
SOCKET_PATIENCE = 0.005  # real seconds clients behind a socket get to react before a jump
SLOWEST, FASTEST = 1e-3, 1e6  # rates of a scaled clock
SETTLE_TURNS = 5  # loop turns without activity before the loop counts as idle

T = TypeVar("T")

skew: ContextVar[float] = ContextVar("clock_skew", default=0.0)
"""Seconds by which `now` is off for the current task: the clock-skew fault."""


@dataclass(slots=True)
class _Hold:
    """One stretch of work; while something in it waits on the clock it does not count."""

    parked: int = 0
    ended: bool = False


_hold: ContextVar[_Hold | None] = ContextVar("clock_hold", default=None)


class _Busy:
    """A stretch of work that `count` is told of. A class: every exchange goes through several."""

    __slots__ = ("_count", "_own", "_token")

    def __init__(self, count: Callable[[int], None]) -> None:
        self._count = count

    def __enter__(self) -> None:
        self._own = _Hold()
        self._token = _hold.set(self._own)
        self._count(1)

    def __exit__(self, *_: object) -> None:
        self._own.ended = True
        self._count(0 if self._own.parked else -1)
        _hold.reset(self._token)


class _Parked:
    """Waiting on a clock is not work, even inside ``busy`` or in a task made there."""

    __slots__ = ("_count", "_hold")

    def __init__(self, count: Callable[[int], None]) -> None:
        self._count = count

    def __enter__(self) -> None:
        self._hold = hold = _hold.get() or _Hold(ended=True)
        hold.parked += 1
        self._count(-1 if hold.parked == 1 and not hold.ended else 0)

    def __exit__(self, *_: object) -> None:
        self._hold.parked -= 1
        self._count(1 if self._hold.parked == 0 and not self._hold.ended else 0)


class _Expiry:
    """Cancels the current task when its time has come (as asyncio.timeout: no task of its own)."""

    __slots__ = ("_before", "_came", "_task")

    def __init__(self) -> None:
        self._task = asyncio.current_task()
        self._before = self._task.cancelling() if self._task else 0
        self._came = False

    def end(self) -> None:
        self._came = True
        if self._task is not None:
            self._task.cancel()

    def taken_back(self) -> bool:
        """Whether the cancellation that arrived was this one and no other."""
        return self._came and self._task is not None and self._task.uncancel() <= self._before


class Clock(Protocol):
    """What the server needs of time; seconds everywhere."""

    patience: float
    """Real seconds that clients get to react before a clock that jumps does so."""

    def now(self) -> float:
        """Unix time, for the wire."""

    def monotonic(self) -> float:
        """Seconds since an arbitrary origin, never going back."""

    def call_at(
        self, when: float, callback: Callable[[], object], *, background: bool = False
    ) -> Timer:
        """Run ``callback`` when ``monotonic()`` reaches ``when``.

        A background timer (queued work, expiry) never makes a manual clock jump by itself: time
        flies only while somebody waits.
        """

    async def sleep(self, seconds: float, *, background: bool = False) -> None: ...

    async def wait_for(
        self, event: asyncio.Event, timeout: float | None, *, background: bool = False
    ) -> bool:
        """True once ``event`` is set, False if ``timeout`` seconds pass first."""

    def busy(self) -> AbstractContextManager[None]:
        """Context manager: work is under way, so a manual clock must not jump."""

    def forward_to(self, moment: float) -> None:
        """Unix time is not before `moment` from now on."""


class _TimerClock(ABC):
    """The parts all clocks share: the queue, waiting, and the count of work under way."""

    def __init__(self) -> None:
        self.patience = 0.0
        self.timers = TimerQueue()
        self._working = 0
        self._unoccupied = asyncio.Event()
        self.activity = 0  # grows with everything that happens: how idleness is noticed

    @abstractmethod
    def monotonic(self) -> float: ...

    @abstractmethod
    def forward_to(self, moment: float) -> None:
        """Unix time is not before `moment` from now on: a run that goes on goes on in time."""

    def _changed(self) -> None:
        self.activity += 1

    def call_at(
        self, when: float, callback: Callable[[], object], *, background: bool = False
    ) -> Timer:
        timer = self.timers.add(when, callback, background)
        if not background:
            self._changed()
        return timer

    async def sleep(self, seconds: float, *, background: bool = False) -> None:
        if seconds > 0:
            await self.wait_for(asyncio.Event(), seconds, background=background)
        else:
            await asyncio.sleep(0)

    async def wait_for(
        self, event: asyncio.Event, timeout: float | None, *, background: bool = False
    ) -> bool:
        if event.is_set():
            return True
        if timeout is not None and timeout <= 0:
            return False
        if timeout is None:
            with _Parked(self._count):
                return await event.wait()
        expiry = _Expiry()
        timer = self.call_at(self.monotonic() + timeout, expiry.end, background=background)
        try:
            with _Parked(self._count):
                return await event.wait()
        except asyncio.CancelledError:
            if not expiry.taken_back():
                raise
            return event.is_set()
        finally:
            timer.cancel()

    def busy(self) -> AbstractContextManager[None]:
        return _Busy(self._count)

    def _count(self, change: int) -> None:
        self._working += change
        if self._working:
            self._unoccupied.clear()
        else:
            self._unoccupied.set()
        self._changed()

    def _fire_due(self, until: float) -> None:
        while timer := self.timers.pop_due(until):
            self._fire(timer)

    def _fire(self, timer: Timer) -> None:
        callback, timer.callback = timer.callback, None
        self.activity += 1
        if callback is not None:
            callback()


class ScaledClock(_TimerClock):
    """Machine time, ``rate`` times as fast; ``rate`` must be positive."""

    def __init__(self, rate: float = 1.0) -> None:
        if not rate > 0:
            raise ValueError(f"clock rate must be greater than 0, got {rate!r}")
        super().__init__()
        self.rate = rate
        self._origin = time.monotonic()
        self._unix_origin = time.time()
        self._alarm: asyncio.TimerHandle | None = None
        self._alarm_at = float("inf")

    def monotonic(self) -> float:
        return self._origin + (time.monotonic() - self._origin) * self.rate

    def now(self) -> float:
        return sayable(self._unix_origin + (self.monotonic() - self._origin) + skew.get())

    def forward_to(self, moment: float) -> None:
        self._unix_origin += max(0.0, moment - self.now())

    def call_at(
        self, when: float, callback: Callable[[], object], *, background: bool = False
    ) -> Timer:
        timer = super().call_at(when, callback, background=background)
        if when < self._alarm_at:
            self._set_alarm()
        return timer

    def _set_alarm(self) -> None:
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm, self._alarm_at = None, float("inf")
        head = self.timers.head()
        if head is not None:
            delay = max(0.0, (head.when - self.monotonic()) / self.rate)
            self._alarm_at = head.when
            self._alarm = asyncio.get_running_loop().call_later(delay, self._ring)

    def _ring(self) -> None:
        self._alarm, self._alarm_at = None, float("inf")
        try:
            self._fire_due(self.monotonic())
        finally:
            self._set_alarm()


class RealClock(ScaledClock):
    """Machine time."""

    def __init__(self) -> None:
        super().__init__(1.0)


class ManualClock(_TimerClock):
    """Time moves only by ``advance``/``run_for`` or, with ``autojump``, from timer to timer.

    ``start`` is the Unix time of the first instant. ``patience`` is the real seconds of idleness
    before a jump: 0 in process, a few milliseconds when clients sit behind a socket.
    """

    def __init__(
        self, start: float = DEFAULT_START, autojump: bool = False, patience: float = 0.0
    ) -> None:
        super().__init__()
        self.start = start
        self.autojump = autojump
        self.patience = patience
        self._elapsed = 0.0
        self._watching = False

    def monotonic(self) -> float:
        return self._elapsed

    def now(self) -> float:
        return sayable(self.start + self._elapsed + skew.get())

    def forward_to(self, moment: float) -> None:
        self.start += max(0.0, moment - self.now())

    def advance(self, seconds: float) -> None:
        """Fire everything due in the next ``seconds``, in order, and stand at the end of them."""
        target = self._target(seconds)
        while timer := self.timers.pop_due(target):
            self._elapsed = max(self._elapsed, timer.when)
            self._fire(timer)
        self._elapsed = target

    async def run_for(self, seconds: float) -> None:
        """Like ``advance``, but what a timer wakes runs to its next wait before the next timer."""
        target = self._target(seconds)
        await self.settle()
        while timer := self.timers.pop_due(target):
            self._elapsed = max(self._elapsed, timer.when)
            self._fire(timer)
            await self.settle()
        self._elapsed = max(self._elapsed, target)

    async def settle(self) -> None:
        """Return once nothing but timers is left."""
        with _Parked(self._count):
            quiet, seen = 0, self.activity
            while quiet < SETTLE_TURNS or self._working:
                await (self._unoccupied.wait() if self._working else asyncio.sleep(0))
                quiet = quiet + 1 if self.activity == seen else 0
                seen = self.activity

    def _target(self, seconds: float) -> float:
        if seconds < 0:
            raise ValueError(f"time only moves forward: seconds must be >= 0, got {seconds!r}")
        return self._elapsed + seconds

    def _changed(self) -> None:
        super()._changed()
        if self.autojump and not self._watching and not self._working:
            self._watch(self.activity, 0)

    def _watch(self, seen: int, quiet: int) -> None:
        """Look again until the loop has been idle long enough, then jump."""
        self._watching = True
        loop = asyncio.get_running_loop()
        if quiet < SETTLE_TURNS:
            delay = self.patience / SETTLE_TURNS
            loop.call_later(delay, self._look, seen, quiet + 1)
        else:
            self._watching = False
            self._jump()

    def _look(self, seen: int, quiet: int) -> None:
        self._watching = False
        if self._working or not self.autojump:
            return
        self._watch(self.activity, quiet if self.activity == seen else 0)

    def _jump(self) -> None:
        """Fire the next instant's timers; background ones only on the way to a foreground one."""
        head = self.timers.head()
        if head is None or self.timers.first_foreground() is None:
            return
        self._elapsed = max(self._elapsed, head.when)
        self._fire_due(self._elapsed)
        self._changed()


def sayable(moment: float) -> float:
    """A Unix time from 1970 to the year 9999."""
    return moment if 0.0 <= moment <= LATEST else min(max(moment, 0.0), LATEST)


def machine_seconds() -> float:
    """The machine's seconds since an arbitrary origin, never going back."""
    return time.monotonic()


async def machine_pause(seconds: float) -> None:
    """Let others go on for so many seconds of the machine's; with 0 once, whoever is ready."""
    await asyncio.sleep(seconds)


async def machine_wait(awaited: Awaitable[T], seconds: float) -> T:
    """What is awaited; TimeoutError after so many seconds of the machine's."""
    return await asyncio.wait_for(awaited, seconds)


def machine_timer(seconds: float, call: Callable[[], None]) -> asyncio.TimerHandle:
    """Call it after so many seconds of the machine's, in the running loop: for what must not wait
    for simulated time. Raises RuntimeError outside of a loop."""
    return asyncio.get_running_loop().call_later(seconds, call)


def clock_from(spec: str) -> Clock:
    """`real`, `x60` (60 times faster), `manual`, `auto` (manual, jumping from timer to timer)."""
    if spec == "real":
        return RealClock()
    if spec == "manual":
        return ManualClock()
    if spec == "auto":
        return ManualClock(autojump=True, patience=SOCKET_PATIENCE)
    if spec.startswith("x"):
        try:
            rate = float(spec[1:])
        except ValueError as error:
            raise ValueError(f"clock: {spec!r}: {error}; try x60") from None
        if not SLOWEST <= rate <= FASTEST:
            raise ValueError(f"clock: {spec!r}: the rate is from {SLOWEST:g} to {FASTEST:g}")
        return ScaledClock(rate)
    raise ValueError(f"clock: {spec!r} is none of real, xRATE, manual, auto")
