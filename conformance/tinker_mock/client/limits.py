"""Two semaphores: by count, and by bytes. Both are fair: first come, first served."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from tinker_mock.client.http.throttle import RateLimiter


class CountSemaphore:
    """At most `limit` holders at once; `None` is no limit."""

    def __init__(self, limit: int | None) -> None:
        self.limit = limit
        self._semaphore = None if limit is None else asyncio.Semaphore(limit)

    async def __aenter__(self) -> None:
        if self._semaphore is not None:
            await self._semaphore.acquire()

    async def __aexit__(self, *_: object) -> None:
        if self._semaphore is not None:
            self._semaphore.release()


class BytesSemaphore:
    """A budget of bytes that one holder may overdraw.

    Who comes while the balance is not negative gets in, whatever the size: otherwise a request
    larger than the whole budget could never be sent. While the balance is negative all wait.
    """

    def __init__(self, budget: int) -> None:
        self.budget = budget
        self.balance = budget
        self._waiting: deque[tuple[int, asyncio.Future[None]]] = deque()

    async def acquire(self, size: int) -> None:
        """Take `size` bytes, waiting in line while the balance is negative."""
        if self.balance >= 0 and not self._waiting:
            self.balance -= size
            return
        turn = asyncio.get_running_loop().create_future()
        entry = (size, turn)
        self._waiting.append(entry)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self.release(size)
            else:
                self._waiting.remove(entry)
            raise

    def release(self, size: int) -> None:
        """Give `size` bytes back and let in who waits."""
        self.balance += size
        while self._waiting and self.balance >= 0:
            waiting, turn = self._waiting.popleft()
            if not turn.done():
                self.balance -= waiting
                turn.set_result(None)

    @asynccontextmanager
    async def hold(self, size: int) -> AsyncIterator[None]:
        """Hold `size` bytes for the body of the `async with`."""
        await self.acquire(size)
        try:
            yield
        finally:
            self.release(size)


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
