"""Retries of one HTTP call, and persistence beyond them.

There are three layers, as in the SDK. `HttpRetryPolicy` decides about the attempts of one call:
408, 409, 429, 5xx and lost connections are tried again after 0.5 · 2ⁿ seconds up to 10, times a
random factor of 0.75–1, or after what the server asks for, unless its `x-should-retry` says
otherwise. `Persistence` sends one call again for minutes, until the server takes it.
`futures.attempts` repeats a whole sampling request, submission and polling.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import TypeVar

from tinker_mock.client.clock import Clock
from tinker_mock.client.config.presets import Preset
from tinker_mock.client.errors import ApiConnectionError, ApiTimeoutError, TinkerError

T = TypeVar("T")
_BASE_DELAY = 0.5
_MAX_DELAY = 10.0
_TINKEX_DEFAULT_DELAY = 1.0
_BILLING_PAUSE = 5.0
_MAX_WAIT = 30.0


@dataclass(frozen=True, slots=True)
class HttpRetryPolicy:
    """Decides about attempt n (0 = the first) of a call. `random` gives floats in [0, 1)."""

    preset: Preset
    random: Callable[[], float]
    now: Callable[[], float]

    def should_retry(self, status: int, headers: Mapping[str, str]) -> bool:
        """By status, overruled by the server's `x-should-retry`."""
        advice = headers.get("x-should-retry", "").strip().lower()
        if advice in ("true", "false"):
            return advice == "true"
        return retryable_status(status)

    def delay(
        self, attempt: int, status: int | None = None, headers: Mapping[str, str] | None = None
    ) -> float:
        """Seconds to wait before the attempt after `attempt`."""
        headers = headers or {}
        if self.preset.retry_after == "only_429":
            if status == 429:
                advised = retry_after_ms(headers)
                return _TINKEX_DEFAULT_DELAY if advised is None else advised / 1000
        else:
            advised_seconds = self._advised(headers)
            if (
                advised_seconds is not None
                and 0 < advised_seconds <= self.preset.retry_after_ceiling
            ):
                return advised_seconds
        return min(_BASE_DELAY * 2.0 ** min(attempt, 16), _MAX_DELAY) * (
            1 - 0.25 * (1 - self.random())
        )

    def _advised(self, headers: Mapping[str, str]) -> float | None:
        milliseconds = retry_after_ms(headers)
        if milliseconds is not None:
            return milliseconds / 1000
        try:
            return parsedate_to_datetime(headers["retry-after"]).timestamp() - self.now()
        except (KeyError, ValueError, TypeError):
            return None


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


def retryable_status(status: int) -> bool:
    """Whether an answer with this status may be better next time."""
    return status in (408, 409, 429) or 500 <= status < 600


def retry_after_ms(headers: Mapping[str, str], *, default: int | None = None) -> int | None:
    """`retry-after-ms`, else `retry-after` in seconds, else the default. Milliseconds.

    Header names are expected in lower case.
    """
    for name, factor in (("retry-after-ms", 1.0), ("retry-after", 1000.0)):
        try:
            return int(float(headers[name]) * factor)
        except (KeyError, ValueError, OverflowError):
            continue
    return default
