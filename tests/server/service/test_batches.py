"""Slices sampled together are the slices sampled alone."""

import asyncio
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from tinker_mock.server.catalog import Catalog
from tinker_mock.server.engine import (
    BaseModel,
    EngineError,
    SampledSequence,
    Sampler,
    SampleRequest,
)
from tinker_mock.server.service import batches
from tinker_mock.server.service.bases import engine_base
from tinker_mock.server.service.batches import Batcher

MODEL = "Qwen/Qwen3-8B"


@pytest.fixture(scope="module")
def base() -> BaseModel:
    return engine_base(Catalog.load().get(MODEL))


def asked(number: int, **more: Any) -> SampleRequest:
    prompt = np.arange(5, 9 + number % 7, dtype=np.int64)
    return SampleRequest(prompt=prompt, max_tokens=12, entropy=f"e{number}", **more)


def same(one: SampledSequence, other: SampledSequence) -> bool:
    return (
        one.tokens.tolist() == other.tokens.tolist()
        and one.logprobs.tolist() == other.logprobs.tolist()
        and one.stop_reason == other.stop_reason
    )


@pytest.mark.parametrize("more", [{}, {"temperature": 0.0}, {"top_p": 0.7}, {"top_k": 5}])
def test_the_company_changes_nothing(base: BaseModel, more: dict[str, Any]) -> None:
    """Also where requests want several samples, of other lengths."""
    lengths = (12, 3, 0, 40)
    requests = [
        replace(asked(number, **more), num_samples=1 + number % 3, max_tokens=lengths[number % 4])
        for number in range(12)
    ]
    together = Sampler(base).sample_together(requests)
    for request, result in zip(requests, together, strict=True):
        alone = Sampler(base).sample(request)
        assert len(result.sequences) == request.num_samples
        assert all(map(same, result.sequences, alone.sequences))


def test_requests_that_differ_are_not_sampled_together(base: BaseModel) -> None:
    with pytest.raises(EngineError, match="must be alike"):
        Sampler(base).sample_together([asked(1), asked(2, temperature=0.5)])


class Counting:
    """Runs engine work at once and notes the sizes of the batches."""

    def __init__(self) -> None:
        self.sizes: list[int] = []

    async def __call__(self, work: Any, requests: list[SampleRequest]) -> Any:
        self.sizes.append(len(requests))
        await asyncio.sleep(0)
        return work(requests)


def test_concurrent_slices_share_a_batch_and_a_wrong_one_fails_alone(base: BaseModel) -> None:
    compute = Counting()
    batcher = Batcher(compute)
    wrong = SampleRequest(prompt=np.zeros(0, dtype=np.int64), max_tokens=12, entropy="w")

    async def work() -> list[Any]:
        requests = [asked(1), wrong, asked(2), asked(3, top_p=0.5)]
        calls = [
            batcher.run(request.top_p, lambda: Sampler(base).sample_together, request)
            for request in requests
        ]
        return await asyncio.gather(*calls, return_exceptions=True)

    first, refused, second, other = asyncio.run(work())
    assert isinstance(refused, EngineError)
    assert same(first.sequences[0], Sampler(base).sample(asked(1)).sequences[0])
    assert same(second.sequences[0], Sampler(base).sample(asked(2)).sequences[0])
    assert same(other.sequences[0], Sampler(base).sample(asked(3, top_p=0.5)).sequences[0])
    assert sorted(compute.sizes) == [1, 1, 1, 1, 3]
    assert batcher.running == {}
    assert batcher.waiting == {}


def test_a_burst_is_one_batch_and_nobody_waits_for_ever(
    base: BaseModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def pause(_: float) -> None:
        for _ in range(8):  # turns of the loop stand for time
            await asyncio.sleep(0)

    monkeypatch.setattr(batches, "machine_pause", pause)
    compute = Counting()
    batcher = Batcher(compute)

    async def later(turns: int) -> Any:
        for _ in range(turns):
            await asyncio.sleep(0)
        return await batcher.run(
            "key", lambda: Sampler(base).sample_together, asked(turns), patience=1.0
        )

    async def work() -> list[Any]:
        return await asyncio.gather(*[later(turns) for turns in (0, 5, 10, 15, 20, 200)])

    found = asyncio.run(work())
    assert compute.sizes == [5, 1]
    for turns, result in zip((0, 5, 10, 15, 20, 200), found, strict=True):
        assert same(result.sequences[0], Sampler(base).sample(asked(turns)).sequences[0])


class Waits:
    """Notes how long a batcher would wait, in units of its patience, and does not."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.found: list[float] = []
        monkeypatch.setattr(batches, "machine_pause", self.pause)
        monkeypatch.setattr(batches, "machine_wait", self.wait)

    async def pause(self, seconds: float) -> None:
        self.found.append(seconds)
        await asyncio.sleep(0)

    async def wait(self, awaited: Any, seconds: float) -> None:
        """As if nobody came in time, unless who was waited for is there at once."""
        self.found.append(seconds)
        task = asyncio.ensure_future(awaited)
        for _ in range(3):
            await asyncio.sleep(0)
        if not task.done():
            task.cancel()
            raise TimeoutError


def test_there_is_most_patience_for_those_who_came_last_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    waits, compute = Waits(monkeypatch), Counting()
    batcher = Batcher(compute)

    async def burst(count: int, patience: float = 0.001) -> list[float]:
        waits.found.clear()
        asks = [batcher.run("k", lambda: list, n, patience=patience) for n in range(count)]
        assert await asyncio.gather(*asks) == list(range(count))
        return [round(wait / patience, 6) for wait in waits.found]

    async def work() -> None:
        assert await burst(1) == [1]
        assert await burst(9) == [batches.CROWDED]
        assert await burst(2) == [batches.EXPECTANT]
        assert await burst(2) == [1]
        assert await burst(1) == [batches.EXPECTANT]
        assert await burst(1) == [1]
        assert await burst(2, patience=1.0) == [batches.LONGEST_PAUSE]
        assert await burst(9) == [batches.CROWDED]
        assert await burst(1) == [batches.EXPECTANT], "once"
        assert await burst(1) == [1]
        assert await burst(1, patience=1.0) == [batches.MOMENT]

    asyncio.run(work())
    assert compute.sizes == [1, 9, 2, 2, 1, 1, 2, 9, 1, 1, 1]


def test_nobody_waits_longer_once_all_who_were_expected_are_there(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Clients that go on in step lose a moment each time, not all patience there is."""
    waits, compute = Waits(monkeypatch), Counting()
    batcher = Batcher(compute)

    async def late(number: int) -> Any:
        for _ in range(number):
            await asyncio.sleep(0)
        return await batcher.run("k", lambda: list, number, patience=0.001)

    async def work() -> None:
        for _ in range(2):
            waits.found.clear()
            await asyncio.gather(late(0), late(0), late(0))
        waits.found.clear()
        await asyncio.gather(late(0), late(2), late(3))

    asyncio.run(work())
    assert compute.sizes == [3, 3, 3]
    assert [round(wait / 0.001) for wait in waits.found] == [batches.EXPECTANT, 1]


def test_what_one_crowd_does_costs_others_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    waits, compute = Waits(monkeypatch), Counting()
    batcher = Batcher(compute)

    async def ask(crowd: str) -> Any:
        return await batcher.run(crowd, lambda: list, 0, patience=0.001, crowd=crowd)

    async def work() -> None:
        await asyncio.gather(*[ask("busy") for _ in range(20)])
        waits.found.clear()
        await ask("alone")

    asyncio.run(work())
    assert waits.found == [0.001]
