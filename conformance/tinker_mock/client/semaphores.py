"""Two semaphores: by count, and by bytes. Both are fair: first come, first served."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


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
        admitted = asyncio.get_running_loop().create_future()
        entry = (size, admitted)
        self._waiting.append(entry)
        try:
            await admitted
        except asyncio.CancelledError:
            if admitted.done() and not admitted.cancelled():
                self.release(size)
            else:
                self._waiting.remove(entry)
            raise

    def release(self, size: int) -> None:
        """Give `size` bytes back and let in who waits."""
        self.balance += size
        while self._waiting and self.balance >= 0:
            waiting, admitted = self._waiting.popleft()
            if not admitted.done():
                self.balance -= waiting
                admitted.set_result(None)

    @asynccontextmanager
    async def hold(self, size: int) -> AsyncIterator[None]:
        """Hold `size` bytes for the body of the `async with`."""
        await self.acquire(size)
        try:
            yield
        finally:
            self.release(size)
