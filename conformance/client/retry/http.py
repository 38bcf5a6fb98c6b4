"""Retries of one HTTP call: pure decisions, no waiting.

Retried are 408, 409, 429, 5xx and lost connections, unless `x-should-retry` says otherwise. The
delay is 0.5 · 2ⁿ seconds up to 10, times a random factor of 0.75–1, or what the server asks for.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime

from ..presets import Preset
from .advice import retry_after_ms

_BASE_DELAY = 0.5
_MAX_DELAY = 10.0
_TINKEX_DEFAULT_DELAY = 1.0


def retryable_status(status: int) -> bool:
    """Whether an answer with this status may be better next time."""
    return status in (408, 409, 429) or 500 <= status < 600


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
