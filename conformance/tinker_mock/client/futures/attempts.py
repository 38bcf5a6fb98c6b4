"""Retries of a whole request (submit and poll), as sampling needs them.

Besides a limit of attempts there is a limit of *progress*: while any request of the same handler
succeeds now and then, slow ones may go on for hours; when nothing succeeds for
`progress_timeout` seconds, the handler gives up.
"""

import asyncio
import math
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from random import Random
from typing import TypeVar

from tinker_mock.client.clock import Clock, RealClock
from tinker_mock.client.errors import (
    ApiConnectionError,
    ApiTimeoutError,
    Category,
    PromiseGoneError,
    TinkerError,
    invalid,
)
from tinker_mock.client.http.retry import retryable_status
from tinker_mock.client.semaphores import CountSemaphore
from tinker_mock.client.watch.events import EventHub

T = TypeVar("T")
_GRACE = 0.001  # wake just after the deadline, not a rounding error before it


@dataclass(frozen=True, slots=True)
class RetryConfig:
    """Limits of a `RetryHandler`. Delays are seconds.

    `max_retries` None is endless, so is a `progress_timeout` of infinity; `max_connections` None
    does not bound concurrency.
    """

    max_retries: int | None = None
    base_delay: float = 0.5
    max_delay: float = 10.0
    jitter: float = 0.25
    progress_timeout: float = 7200.0
    max_connections: int | None = 1000
    enable_retry_logic: bool = True

    def __post_init__(self) -> None:
        _require(_is_count(self.max_retries), "max_retries must be a whole number >= 0 or None")
        _require(self.base_delay > 0, "base_delay must be positive")
        _require(self.max_delay >= self.base_delay, "max_delay must not be below base_delay")
        _require(0 <= self.jitter <= 1, "jitter must be between 0 and 1")
        _require(self.progress_timeout > 0, "progress_timeout must be positive")
        _require(
            _is_count(self.max_connections) and self.max_connections != 0,
            "max_connections must be a whole number > 0 or None",
        )
        _require(
            isinstance(self.enable_retry_logic, bool), "enable_retry_logic must be true or false"
        )

    def delay(self, attempt: int, random: float = 0.5) -> float:
        """Seconds before the attempt after `attempt` (0 = the first); `random` in [0, 1)."""
        exponent = min(attempt, math.ceil(math.log2(self.max_delay / self.base_delay)) + 1)
        delay = min(self.base_delay * 2.0**exponent, self.max_delay)
        return min(max(0.0, delay + delay * self.jitter * (2 * random - 1)), self.max_delay)

    def allows(self, error: BaseException, attempt: int) -> bool:
        """Whether attempt number `attempt` (0 = the first) may be followed by another."""
        if not self.enable_retry_logic or not _is_transient(error):
            return False
        return self.max_retries is None or attempt < self.max_retries


class RetryHandler:
    """Runs requests of one sampling session with shared progress and bounded concurrency."""

    def __init__(
        self,
        config: RetryConfig | None = None,
        *,
        clock: Clock | None = None,
        random: Random | None = None,
        events: EventHub | None = None,
    ) -> None:
        self.config = config or RetryConfig()
        self._clock = clock or RealClock()
        self._random = random or Random()
        self._events = events or EventHub()
        self._slots = CountSemaphore(self.config.max_connections)
        self._running = 0
        self.last_progress = self._clock.monotonic()

    async def run(self, request: Callable[[], Awaitable[T]]) -> T:
        """Call `request` until it succeeds, fails for good, or nothing moves any more.

        Raises the last error, or `ApiTimeoutError` without progress.
        """
        async with self._slots:
            if self._running == 0:
                self.last_progress = max(self.last_progress, self._clock.monotonic())
            self._running += 1
            try:
                return await self._attempts(request)
            finally:
                self._running -= 1

    async def _attempts(self, request: Callable[[], Awaitable[T]]) -> T:
        attempt = 0
        while True:
            self._events.emit("retry.attempt.start", attempt=attempt)
            try:
                result = await self._attempt(request)
            except Exception as error:
                if isinstance(error, _StuckError) or not self.config.allows(error, attempt):
                    self._events.emit("retry.attempt.failed", attempt=attempt, error=error)
                    raise
                if self._patience() < 0:
                    raise self._stuck() from error
                delay = self.config.delay(attempt, self._random.random())
                self._events.emit("retry.attempt.retry", attempt=attempt, delay=delay, error=error)
                await self._clock.sleep(delay)
                attempt += 1
            else:
                self.last_progress = self._clock.monotonic()
                self._events.emit("retry.attempt.stop", attempt=attempt)
                return result

    async def _attempt(self, request: Callable[[], Awaitable[T]]) -> T:
        """One attempt, cut off once nothing has moved for `progress_timeout`."""
        if math.isinf(self.config.progress_timeout):
            return await request()
        work = asyncio.ensure_future(request())
        try:
            while not work.done():
                patience = self._patience()
                if patience < 0:
                    raise self._stuck()
                timer = asyncio.ensure_future(self._clock.sleep(patience + _GRACE))
                try:
                    await asyncio.wait({work, timer}, return_when=asyncio.FIRST_COMPLETED)
                finally:
                    timer.cancel()
            return work.result()
        finally:
            work.cancel()

    def _patience(self) -> float:
        return self.last_progress + self.config.progress_timeout - self._clock.monotonic()

    def _stuck(self) -> "_StuckError":
        return _StuckError(
            f"No progress made in {self.config.progress_timeout:g}s. Requests appear to be stuck.",
            category=Category.SERVER,
        )


class _StuckError(ApiTimeoutError):
    """Nothing succeeded for too long; retrying would hide it."""


def _is_transient(error: BaseException) -> bool:
    if isinstance(error, (ApiConnectionError, ApiTimeoutError, PromiseGoneError, TimeoutError)):
        return True
    if isinstance(error, TinkerError):
        if error.status is not None:
            return retryable_status(error.status)
        return False
    return not isinstance(error, (TypeError, AssertionError))


def _is_count(value: object) -> bool:
    return value is None or (isinstance(value, int) and not isinstance(value, bool) and value >= 0)


def _require(holds: bool, message: str) -> None:
    if not holds:
        raise invalid(f"RetryConfig: {message}")
