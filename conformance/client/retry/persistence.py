"""Sending a request again and again, for minutes, until the server takes it."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

from ..clock import Clock
from ..errors import ApiConnectionError, ApiTimeoutError, TinkerError
from .http import retryable_status

T = TypeVar("T")

_BILLING_PAUSE = 5.0
_MAX_WAIT = 30.0


@dataclass(frozen=True, slots=True)
class Persistence:
    """How long to persist, in seconds: against failures, and against unpaid bills (402).

    Statuses in `passing` are never waited for.
    """

    clock: Clock
    window: float = 300.0
    billing_window: float = 0.0
    passing: tuple[int, ...] = ()

    async def run(self, work: Callable[[], Awaitable[T]]) -> T:
        """Repeat `work` after transient errors, waiting 1, 2, 4 … 30 s. Raises the last error."""
        started = self.clock.monotonic()
        attempt = 0
        while True:
            try:
                return await work()
            except TinkerError as error:
                elapsed = self.clock.monotonic() - started
                wait = self._wait(error, attempt, elapsed)
                if wait is None:
                    raise
            await self.clock.sleep(wait)
            attempt += 1

    def _wait(self, error: TinkerError, attempt: int, elapsed: float) -> float | None:
        if error.status in self.passing:
            return None
        if error.status == 402:
            return _BILLING_PAUSE if elapsed < self.billing_window else None
        lost = isinstance(error, (ApiConnectionError, ApiTimeoutError))
        if not lost and not (error.status is not None and retryable_status(error.status)):
            return None
        wait = min(2.0 ** min(attempt, 6), _MAX_WAIT)
        return wait if elapsed + wait <= self.window else None
