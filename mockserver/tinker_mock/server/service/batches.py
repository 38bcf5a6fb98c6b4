"""Slices of concurrent answers, sampled together.

While a batch runs, others that fit it wait for the next one; alone, a slice waits for nobody.
What is sampled does not depend on the company: the engine's results are the same one by one.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable
from typing import Any

from tinker_mock.server.engine import (
    BaseModel,
    EngineError,
    SampledSequence,
    Sampler,
    SampleRequest,
    Weights,
)

MOST_TOGETHER = 64
Compute = Callable[..., Awaitable[Any]]
Waiting = tuple[SampleRequest, asyncio.Future[SampledSequence]]


class SliceBatcher:
    """Batches the slices of one simulation. `compute` runs engine work in a thread."""

    def __init__(self, compute: Compute) -> None:
        self.compute = compute
        self.waiting: dict[Any, list[Waiting]] = defaultdict(list)
        self.running: dict[Any, asyncio.Task[None]] = {}

    async def sample(
        self, base: BaseModel, weights: Weights | None, request: SampleRequest
    ) -> SampledSequence:
        """The first sequence of a request; raises EngineError."""
        stop = None if request.stop is None else tuple(request.stop)
        key = (
            *(base, weights, request.max_tokens, request.temperature),
            *(request.top_k, request.top_p, stop, request.topk_sample_logprobs),
            request.offsets,
        )
        future = asyncio.get_running_loop().create_future()
        self.waiting[key].append((request, future))
        if key not in self.running:
            sampler = Sampler(base, weights)
            self.running[key] = asyncio.create_task(self._drain(key, sampler))
        result: SampledSequence = await future
        return result

    async def _drain(self, key: Any, sampler: Sampler) -> None:
        """Run batches until nobody waits."""
        try:
            await asyncio.sleep(0)  # whoever is ready in this turn of the loop comes along
            while self.waiting[key]:
                batch = self.waiting[key][:MOST_TOGETHER]
                del self.waiting[key][: len(batch)]
                await self._run([one for one in batch if not one[1].done()], sampler)
        finally:
            del self.running[key]
            self.waiting.pop(key, None)

    async def _run(self, batch: list[Waiting], sampler: Sampler) -> None:
        if not batch:
            return
        try:
            requests = [request for request, _ in batch]
            sequences = await self.compute(sampler.sample_together, requests)
        except EngineError as error:
            if len(batch) == 1:
                _settle(batch[0][1], error)
                return
            for one in batch:  # only the one at fault is refused
                await self._run([one], sampler)
        except Exception as error:
            for _, future in batch:
                _settle(future, error)
        else:
            for (_, future), sequence in zip(batch, sequences, strict=True):
                if not future.done():
                    future.set_result(sequence)


def _settle(future: asyncio.Future[SampledSequence], error: Exception) -> None:
    if not future.done():
        future.set_exception(error)
