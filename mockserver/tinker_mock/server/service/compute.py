"""The engine's worker threads."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from tinker_mock.server.clock import Clock

T = TypeVar("T")


class Compute:
    """Runs engine work in a thread; a manual clock does not jump meanwhile."""

    def __init__(self, clock: Clock, workers: int) -> None:
        self.clock = clock
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix="engine")

    async def __call__(self, function: Callable[..., T], *arguments: Any) -> T:
        loop = asyncio.get_running_loop()
        with self.clock.busy():
            return await loop.run_in_executor(self._pool, function, *arguments)

    def close(self) -> None:
        """Start nothing more."""
        self._pool.shutdown(wait=False, cancel_futures=True)
