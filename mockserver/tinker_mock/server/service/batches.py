"""Work of concurrent requests, done together.

While a batch runs, others that fit it wait for the next one. Work that takes long waits for company
first: longest while they are fewer than the last time, a moment once they are as many, and again
for as long as more come: a burst of requests is one batch or two, and a request alone loses a
moment, or once the time in which a burst did not come again. What comes out does not depend on the
company: the engine's results are the same one by one.
"""

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Hashable
from contextlib import AbstractContextManager, nullcontext, suppress
from functools import partial
from typing import Any, NamedTuple

from tinker_mock.server.clock import machine_pause, machine_seconds, machine_wait
from tinker_mock.server.lru import LruCache

MOST_TOGETHER = 256
LONGEST = 0.3
"""Seconds after which a batch begins, whoever still comes."""
CROWDED, EXPECTANT = 12, 24
"""So much more patience is there for others while there are more than last time, and while they are
fewer."""
FADING = 4
"""A batch that is smaller than the last one makes others expect this part of that one; one alone
makes them expect nobody."""
MOMENT = 0.004
"""Seconds that are waited at most where nobody is expected."""
MOST_CROWDS = 1000
"""Whose habits are remembered."""
LONGEST_PAUSE = 0.1
"""Seconds that are waited for the next one, at most."""
Compute = Callable[..., Awaitable[Any]]
Together = Callable[[list[Any]], list[Any]]
Waiting = tuple[Any, asyncio.Future[Any]]


class Gathering(NamedTuple):
    """Who waits until so many are there."""

    size: int
    complete: asyncio.Event


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
        self._company: LruCache[Hashable, int] = LruCache(MOST_CROWDS)
        """By crowd, how many come together, as far as its last batches tell."""
        self.waiting: dict[Hashable, list[Waiting]] = defaultdict(list)
        self.running: dict[Hashable, asyncio.Task[None]] = {}
        self._gathering: dict[Hashable, Gathering] = {}

    async def run(
        self,
        key: Hashable,
        start: Callable[[], Together],
        request: Any,
        *,
        small: bool = False,
        patience: float = 0.0,
        crowd: Hashable = None,
    ) -> Any:
        """What the function that `start` gives makes of the request, which may share a call
        with others of its key. All of a key are small, or none. `patience`: seconds that it may
        wait for each of the others. `crowd`: whose habits tell how many will come."""
        future = asyncio.get_running_loop().create_future()
        waiting = self.waiting[key]
        waiting.append((request, future))
        gathering = self._gathering.get(key)
        if gathering is not None and len(waiting) >= gathering.size:
            gathering.complete.set()
        if key not in self.running:
            compute = partial(self.compute, small=True) if small else self.compute
            work = self._drain(key, start(), compute, patience, crowd)
            self.running[key] = asyncio.create_task(work)
        return await future

    async def _drain(
        self, key: Hashable, together: Together, compute: Compute, patience: float, crowd: Hashable
    ) -> None:
        """Run batches until nobody waits."""
        try:
            while self.waiting[key]:
                with self.busy():
                    await self._assembled(key, patience, crowd)
                batch = self.waiting[key][:MOST_TOGETHER]
                del self.waiting[key][: len(batch)]
                await self._run([one for one in batch if not one[1].done()], together, compute)
        finally:
            del self.running[key]
            self.waiting.pop(key, None)

    async def _assembled(self, key: Hashable, patience: float, crowd: Hashable) -> None:
        """Wait as long as more come; at least whoever is ready in this turn of the loop does."""
        waiting, seen, end = self.waiting[key], 0, machine_seconds() + LONGEST
        expected = self._company.get(crowd) or 1
        while seen < len(waiting) < MOST_TOGETHER and machine_seconds() < end:
            seen = len(waiting)
            pause = _pause(patience, seen, expected)
            if seen < expected and pause:
                await self._gathered(key, expected, pause)
            else:
                await machine_pause(pause)
        if patience:
            together = min(len(waiting), MOST_TOGETHER)
            expected = 1 if together == 1 else max(together, expected // FADING)
            self._company.put(crowd, expected)

    async def _gathered(self, key: Hashable, size: int, seconds: float) -> None:
        """Wait for so many, or for so many seconds."""
        gathering = self._gathering[key] = Gathering(size, asyncio.Event())
        try:
            with suppress(TimeoutError):
                await machine_wait(gathering.complete.wait(), seconds)
        finally:
            del self._gathering[key]

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


def _pause(patience: float, waiting: int, expected: int) -> float:
    """Seconds to wait for others."""
    if waiting == expected:
        return min(patience, MOMENT)
    return min(patience * (EXPECTANT if waiting < expected else CROWDED), LONGEST_PAUSE)


def _settle(future: asyncio.Future[Any], error: Exception) -> None:
    if not future.done():
        future.set_exception(error)
