"""Work of concurrent requests, done together.

While a batch runs, others that fit it wait for the next one. Work that takes long waits for company
first, and again for as long after each who came, longer while others did come, and longest while
they are fewer than the last time: a burst of requests is one batch or two, and a request alone
loses a fraction of its own time. What comes out does not
depend on the company: the engine's results are the same one by one.
"""

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Hashable
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from typing import Any

from tinker_mock.server.clock import machine_pause, machine_seconds

MOST_TOGETHER = 256
LONGEST = 0.3
"""Seconds after which a batch begins, whoever still comes."""
CROWDED, EXPECTANT = 4, 8
"""So much more patience is there for others while there are others, and while they are fewer than
last time."""
LONGEST_PAUSE = 0.1
"""Seconds that are waited for the next one, at most."""
Compute = Callable[..., Awaitable[Any]]
Together = Callable[[list[Any]], list[Any]]
Waiting = tuple[Any, asyncio.Future[Any]]


class Batcher:
    """Batches the work of one mock. `compute` runs engine work in a thread, where `small=True` says
    that there is little of it; inside of `busy` simulated time stands still."""

    def __init__(
        self,
        compute: Compute,
        busy: Callable[[], AbstractContextManager[None]] = nullcontext,
    ) -> None:
        self.compute = compute
        self.busy = busy
        self.company = 1
        """How many the last batch was."""
        self.waiting: dict[Hashable, list[Waiting]] = defaultdict(list)
        self.running: dict[Hashable, asyncio.Task[None]] = {}

    async def run(
        self,
        key: Hashable,
        start: Callable[[], Together],
        request: Any,
        *,
        small: bool = False,
        patience: float = 0.0,
    ) -> Any:
        """What the function that `start` gives makes of the request, which may share a call
        with others of its key. All of a key are small, or none. `patience`: seconds that it may
        wait for each of the others."""
        future = asyncio.get_running_loop().create_future()
        self.waiting[key].append((request, future))
        if key not in self.running:
            compute = partial(self.compute, small=True) if small else self.compute
            work = self._drain(key, start(), compute, patience)
            self.running[key] = asyncio.create_task(work)
        return await future

    async def _drain(
        self, key: Hashable, together: Together, compute: Compute, patience: float
    ) -> None:
        """Run batches until nobody waits."""
        try:
            while self.waiting[key]:
                with self.busy():
                    await self._company(self.waiting[key], patience)
                batch = self.waiting[key][:MOST_TOGETHER]
                del self.waiting[key][: len(batch)]
                await self._run([one for one in batch if not one[1].done()], together, compute)
        finally:
            del self.running[key]
            self.waiting.pop(key, None)

    async def _company(self, waiting: list[Waiting], patience: float) -> None:
        """Wait as long as more come; at least whoever is ready in this turn of the loop does."""
        seen, end = 0, machine_seconds() + LONGEST
        while seen < len(waiting) < MOST_TOGETHER and machine_seconds() < end:
            seen = len(waiting)
            await machine_pause(min(patience * self._expectation(seen), LONGEST_PAUSE))
        self.company = min(len(waiting), MOST_TOGETHER)

    def _expectation(self, waiting: int) -> int:
        """How much more patience than for a first company there is."""
        if waiting < self.company:
            return EXPECTANT
        return CROWDED if waiting > 1 else 1

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
