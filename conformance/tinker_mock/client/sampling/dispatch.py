"""How many sampling requests are sent at once, and how many bytes of prompts.

While the server pushes back, and for a while after, fewer go out and each weighs more.
"""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from tinker_mock.client.http.throttle import RateLimiter
from tinker_mock.client.semaphores import BytesSemaphore, CountSemaphore


@dataclass(frozen=True, slots=True)
class DispatchLimits:
    """Limits of a `SamplingDispatch`: counts, bytes, and the window in seconds."""

    concurrency: int = 400
    throttled_concurrency: int = 10
    byte_budget: int = 5 * 1024 * 1024
    byte_penalty: int = 20
    recent_backoff_window: float = 10.0


class SamplingDispatch:
    """Hands out permits to submit a sampling request."""

    def __init__(self, limiter: RateLimiter, limits: DispatchLimits | None = None) -> None:
        self.limits = limits or DispatchLimits()
        self._limiter = limiter
        self._all = CountSemaphore(self.limits.concurrency)
        self._throttled = CountSemaphore(self.limits.throttled_concurrency)
        self._bytes = BytesSemaphore(self.limits.byte_budget)

    @property
    def throttled(self) -> bool:
        return self._limiter.recently(self.limits.recent_backoff_window)

    def effective_bytes(self, size: int) -> int:
        """What a prompt of `size` bytes weighs right now."""
        return size * self.limits.byte_penalty if self.throttled else size

    @asynccontextmanager
    async def permit(self, size: int) -> AsyncIterator[None]:
        """Hold a permit for a prompt of `size` bytes while the body runs."""
        async with AsyncExitStack() as held:
            await held.enter_async_context(self._all)
            if self.throttled:
                await held.enter_async_context(self._throttled)
            await held.enter_async_context(self._bytes.hold(self.effective_bytes(size)))
            yield
