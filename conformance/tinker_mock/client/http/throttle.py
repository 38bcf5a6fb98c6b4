"""Back-off that everybody with the same key at the same server shares."""

from weakref import WeakKeyDictionary

from tinker_mock.client.clock import Clock, RealClock
from tinker_mock.client.http.pools import normalize_base_url


class RateLimiter:
    """One bucket: whether to hold back now, and for how long. Times are seconds."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._until: float | None = None
        self._ended: float | None = None

    def set_backoff(self, seconds: float) -> None:
        """Hold back for `seconds` from now."""
        self._until = self._clock.monotonic() + seconds
        self._ended = self._until

    def clear(self) -> None:
        """A success: nobody needs to wait any more."""
        if self._until is not None:
            self._ended = min(self._until, self._clock.monotonic())
        self._until = None

    @property
    def remaining(self) -> float:
        """Seconds still to wait; 0 without back-off."""
        if self._until is None:
            return 0.0
        return max(0.0, self._until - self._clock.monotonic())

    def recently(self, window: float) -> bool:
        """Whether back-off is active or ended less than `window` seconds ago."""
        if self._ended is None:
            return False
        return self.remaining > 0 or self._clock.monotonic() - self._ended < window

    async def wait(self) -> None:
        """Return once no back-off is left, however often it is renewed meanwhile."""
        while (seconds := self.remaining) > 0:
            await self._clock.sleep(seconds)


def shared_limiter(clock: Clock, base_url: str, api_key: str) -> RateLimiter:
    """The bucket of everybody in this process who uses a server and key by the same clock."""
    time = _MACHINE if isinstance(clock, RealClock) else clock
    if time not in _SHARED:
        _SHARED[time] = RateLimitBuckets(time)
    return _SHARED[time].bucket(base_url, api_key)


class RateLimitBuckets:
    """One limiter per {server, key}."""

    def __init__(self, clock: Clock | None = None) -> None:
        self._clock = clock or RealClock()
        self._buckets: dict[tuple[str, str], RateLimiter] = {}

    def bucket(self, base_url: str, api_key: str) -> RateLimiter:
        """The limiter; URLs that mean the same server share it."""
        key = (normalize_base_url(base_url), api_key)
        if key not in self._buckets:
            self._buckets[key] = RateLimiter(self._clock)
        return self._buckets[key]


_MACHINE = RealClock()
_SHARED: WeakKeyDictionary[Clock, RateLimitBuckets] = WeakKeyDictionary()
"""Clients of one clock share; tests with clocks of their own do not disturb each other."""
