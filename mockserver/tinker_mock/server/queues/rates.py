"""Rate limits and the billing pause, counted per API key on the server's clock."""

import math
from collections import deque

from tinker_mock.server.clock import Clock
from tinker_mock.server.errors import PaymentRequired, TooManyRequests
from tinker_mock.server.queues.rules import BillingPause, RateLimit
from tinker_mock.server.recent_counts import RecentCounts

MOST_KEYS = 10_000
"""API keys whose operations are counted; those that are idle are forgotten."""


class RateWindow:
    """A sliding window: the starts of the last `limit.requests` operations of each key."""

    def __init__(self, limit: RateLimit, clock: Clock) -> None:
        self.limit = limit
        self.clock = clock
        self.starts: dict[str, deque[float]] = {}

    def delay(self, tenant: str) -> float:
        """Seconds until this key may start another operation; 0 when it may now."""
        starts = self._current(tenant)
        if len(starts) < self.limit.requests:
            return 0.0
        return max(0.0, starts[0] + self.limit.seconds - self.clock.monotonic())

    def count(self, tenant: str) -> None:
        if len(self.starts) >= MOST_KEYS and tenant not in self.starts:
            self._forget_idle()
        self.starts.setdefault(tenant, deque()).append(self.clock.monotonic())

    def _current(self, tenant: str) -> deque[float]:
        starts = self.starts.get(tenant, deque())
        while starts and starts[0] + self.limit.seconds <= self.clock.monotonic():
            starts.popleft()
        return starts

    def _forget_idle(self) -> None:
        """Drop keys whose operations are all past; the longest known one, if there is none."""
        before = self.clock.monotonic() - self.limit.seconds
        idle = [key for key, starts in self.starts.items() if not starts or starts[-1] <= before]
        for key in idle or [next(iter(self.starts))]:
            del self.starts[key]

    def rule(self) -> str:
        return f"{self.limit.requests} requests per {self.limit.seconds:g} s and API key"

    def reject(self, tenant: str) -> None:
        """Raise TooManyRequests when the key is over its limit, else count the request."""
        delay = self.delay(tenant)
        if delay <= 0:
            self.count(tenant)
            return
        expect_retry(self.clock, delay)
        raise TooManyRequests(
            f"rate limit: {self.rule()}; try again in {delay:.3f} s",
            rule=self.rule(),
            fix="wait as long as retry-after-ms says, then send the same request again",
            headers=retry_headers(delay),
        )

    async def wait(self, tenant: str) -> None:
        """Return once the key may start, and count it."""
        while (delay := self.delay(tenant)) > 0:
            await self.clock.sleep(delay, background=True)
        self.count(tenant)


def expect_retry(clock: Clock, seconds: float) -> None:
    """The refused client waits, if not here: a clock that jumps may pass this time."""
    clock.call_at(clock.monotonic() + seconds, lambda: None)


def retry_headers(seconds: float) -> dict[str, str]:
    """Both forms SDKs read; the coarse one is rounded up so that nobody comes too early."""
    milliseconds = math.ceil(seconds * 1000)
    return {"retry-after": str(math.ceil(seconds)), "retry-after-ms": str(milliseconds)}


class BillingGate:
    """Refuses a key for a while after it has used up its accepted operations."""

    def __init__(self, pause: BillingPause, clock: Clock) -> None:
        self.pause = pause
        self.clock = clock
        self.accepted = RecentCounts(MOST_KEYS)
        self.until: dict[str, float] = {}

    def check(self, tenant: str) -> None:
        """Count an operation, or raise PaymentRequired while the key is paused."""
        if tenant not in self.until and self.accepted[tenant] >= self.pause.after_requests:
            while len(self.until) >= MOST_KEYS:
                del self.until[next(iter(self.until))]
            self.until[tenant] = self.clock.monotonic() + self.pause.seconds
        left = self.until.get(tenant, 0.0) - self.clock.monotonic()
        if left > 0:
            expect_retry(self.clock, left)
            raise PaymentRequired(
                f"billing: this API key is paused for another {left:.0f} s",
                rule="an unpaid key may not submit operations",
                fix="settle the bill; then send the same request again",
            )
        self.accepted.count(tenant)
