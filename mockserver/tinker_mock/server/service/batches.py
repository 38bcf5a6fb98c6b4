"""Work of concurrent requests, done together.

While a batch runs, others that fit it wait for the next one; alone, work waits for nobody. What
comes out does not depend on the company: the engine's results are the same one by one.
"""

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Hashable
from functools import partial
from typing import Any

MOST_TOGETHER = 256
Compute = Callable[..., Awaitable[Any]]
Together = Callable[[list[Any]], list[Any]]
Waiting = tuple[Any, asyncio.Future[Any]]


class Batcher:
    """Batches the work of one mock. `compute` runs engine work in a thread, where `small=True`
    says that there is little of it."""

    def __init__(self, compute: Compute) -> None:
        self.compute = compute
        self.waiting: dict[Hashable, list[Waiting]] = defaultdict(list)
        self.running: dict[Hashable, asyncio.Task[None]] = {}

    async def run(
        self, key: Hashable, start: Callable[[], Together], request: Any, small: bool = False
    ) -> Any:
        """What the function that `start` gives makes of the request, which may share a call
        with others of its key. All of a key are small, or none."""
        future = asyncio.get_running_loop().create_future()
        self.waiting[key].append((request, future))
        if key not in self.running:
            compute = partial(self.compute, small=True) if small else self.compute
            self.running[key] = asyncio.create_task(self._drain(key, start(), compute))
        return await future

    async def _drain(self, key: Hashable, together: Together, compute: Compute) -> None:
        """Run batches until nobody waits."""
        try:
            await asyncio.sleep(0)  # whoever is ready in this turn of the loop comes along
            while self.waiting[key]:
                batch = self.waiting[key][:MOST_TOGETHER]
                del self.waiting[key][: len(batch)]
                await self._run([one for one in batch if not one[1].done()], together, compute)
        finally:
            del self.running[key]
            self.waiting.pop(key, None)

    async def _run(self, batch: list[Waiting], together: Together, compute: Compute) -> None:
        if not batch:
            return
        requests, futures = [request for request, _ in batch], [future for _, future in batch]
        try:
            results = await _while_wanted(compute(together, requests), futures)
        except asyncio.CancelledError:  # nobody waits any more, or the server goes down
            for future in futures:
                future.cancel()
        except Exception as error:
            if len(batch) == 1:
                _settle(batch[0][1], error)
                return
            for one in batch:  # only the one at fault fails
                await self._run([one], together, compute)
        else:
            for future, result in zip(futures, results, strict=True):
                if not future.done():
                    future.set_result(result)


async def _while_wanted(work: Awaitable[Any], futures: list[asyncio.Future[Any]]) -> Any:
    """What the work comes to; it is cancelled when everybody who waits for it has left."""
    task = asyncio.ensure_future(work)
    waiting = len(futures)

    def leave(_: object) -> None:
        nonlocal waiting
        waiting -= 1
        if waiting == 0:
            task.cancel()

    for future in futures:
        future.add_done_callback(leave)
    return await task


def _settle(future: asyncio.Future[Any], error: Exception) -> None:
    if not future.done():
        future.set_exception(error)
