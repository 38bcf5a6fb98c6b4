"""Clock cycles: who shares one, who waits for the next, and what loops of three kinds take."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from tinker_mock.server.clock import ManualClock
from tinker_mock.server.promises import PromiseBook
from tinker_mock.server.queues import QueuePolicy, QueueRules
from tinker_mock.server.state.promise import Promise
from tinker_mock.server.state.store import Store

LENGTH = 10.0


class Pool:
    """A promise book that works in cycles, and a client that waits for what it submitted."""

    def __init__(self) -> None:
        self.clock = ManualClock(start=1_000_000.0)
        self.policy = QueuePolicy(QueueRules(), self.clock, cycle=LENGTH)
        self.book = PromiseBook(Store(), self.clock, self.policy, self._work)
        self.count = 0

    async def _work(self, promise: Promise) -> dict[str, str]:
        return {"done": promise.request_id}

    def submit(self, operation: str, lane: str = "model:m") -> Promise:
        self.count += 1
        name = f"{lane}/{self.count}"
        at = self.clock.now()
        promise = Promise(name, operation, "user", lane, None, name, {}, at)
        return self.book.add(promise, ordered=True)

    async def wait(self, *promises: Promise) -> None:
        """Let time pass, a second at a time, until all have shown."""
        await self.clock.settle()
        while any(promise.open for promise in promises):
            await self.clock.run_for(1.0)

    def elapsed(self) -> float:
        return self.clock.now() - 1_000_000.0


@asynccontextmanager
async def pool() -> AsyncIterator[Pool]:
    made = Pool()
    try:
        yield made
    finally:
        made.book.stop()


async def naive(pool: Pool) -> list[int | None]:
    cycles = []
    for _ in range(4):
        passed = pool.submit("forward_backward")
        await pool.wait(passed)
        await pool.wait(pool.submit("optim_step"))
        cycles.append(passed.cycle)
    return cycles


async def pipelined(pool: Pool) -> list[int | None]:
    cycles = []
    for _ in range(4):
        passed, stepped = pool.submit("forward_backward"), pool.submit("optim_step")
        await pool.wait(passed, stepped)
        assert passed.cycle == stepped.cycle
        cycles.append(passed.cycle)
    return cycles


async def submit_ahead(pool: Pool) -> list[int | None]:
    passes, steps = [], []
    for _ in range(4):
        passes.append(pool.submit("forward_backward"))
        steps.append(pool.submit("optim_step"))
    await pool.wait(*passes, *steps)
    return [promise.cycle for promise in passes]


@pytest.mark.parametrize(
    ("loop", "cycles", "seconds"),
    [(naive, [0, 3, 6, 9], 120), (pipelined, [0, 1, 2, 3], 40), (submit_ahead, [0, 1, 2, 3], 40)],
)
def test_waiting_for_each_result_takes_three_cycles_a_step_and_submitting_first_one(
    loop: object, cycles: list[int], seconds: float
) -> None:
    async def run() -> tuple[list[int], float]:
        async with pool() as made:
            found = await loop(made)  # type: ignore[operator]
            return [cycle - found[0] for cycle in found], made.elapsed()

    assert asyncio.run(run()) == (cycles, seconds)


def test_what_comes_late_waits_for_the_next_cycle() -> None:
    async def run() -> None:
        async with pool() as made:
            await made.clock.run_for(4.0)
            late = made.submit("forward_backward")
            await made.wait(late)
            assert late.cycle == 100_001
            assert made.elapsed() == 20.0

    asyncio.run(run())


def test_chunks_of_a_batch_and_other_models_share_a_cycle() -> None:
    async def run() -> None:
        async with pool() as made:
            mine = [made.submit("forward_backward") for _ in range(3)]
            other = made.submit("forward_backward", lane="model:other")
            await made.wait(*mine, other)
            assert {promise.cycle for promise in (*mine, other)} == {100_000}
            assert made.elapsed() == LENGTH

    asyncio.run(run())


def test_after_a_reset_lanes_start_anew() -> None:
    clock = ManualClock(start=1_000_000.0)
    policy = QueuePolicy(QueueRules(), clock, cycle=LENGTH)
    cycles = policy.cycles
    assert cycles is not None

    def assigned(operation: str) -> int | None:
        return cycles.assign(Promise("x", operation, "user", "m", None, "x", {}, clock.now()))

    ahead = [assigned(operation) for operation in ("forward_backward", "optim_step") * 3]
    assert ahead == [100_000, 100_000, 100_001, 100_001, 100_002, 100_002]
    policy.restart()
    assert assigned("forward_backward") == 100_000


def test_saving_and_sampling_are_outside_the_cycles() -> None:
    async def run() -> None:
        async with pool() as made:
            saved = made.submit("save_weights")
            await made.clock.settle()
            assert saved.state == "completed"
            assert saved.cycle is None

    asyncio.run(run())
