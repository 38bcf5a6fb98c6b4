"""Order, repetition, loss, cancellation and retention of promises, on a manual clock."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from tinker_mock.server.clock import ManualClock
from tinker_mock.server.errors import Conflict, Gone, NotFound, OperationFailed
from tinker_mock.server.promises import PromiseBook, QueueState
from tinker_mock.server.settings import Limits
from tinker_mock.server.state.promise import Outcome, Promise
from tinker_mock.server.state.records import Tenant
from tinker_mock.server.state.store import State, Store

TENANT = "user-1"


class Immediate:
    """A policy that runs everything at once."""

    limits = Limits(retention=100, gap=50)

    def __init__(self) -> None:
        self.ended: list[Promise] = []

    def submitting(self, tenant: Tenant, operation: str, payload: dict[str, Any]) -> None: ...

    async def admit(self, promise: Promise) -> None: ...

    async def settle(self, promise: Promise) -> None: ...

    def polled(self, promise: Promise) -> None: ...

    def finished(self, promise: Promise) -> None:
        self.ended.append(promise)

    def queue_state(self, promise: Promise) -> QueueState:
        return QueueState()


class Bench:
    """A book whose work is noted down; `gates` hold back operations by seq_id."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.ran: list[int | None] = []
        self.gates: dict[int, asyncio.Event] = {}
        self.store, self.policy = Store(), Immediate()
        self.book = PromiseBook(self.store, self.clock, self.policy, self.perform)

    async def perform(self, promise: Promise) -> str:
        if promise.seq_id in self.gates:
            await self.gates[promise.seq_id].wait()
        if promise.payload.get("fails"):
            raise OperationFailed("data: is wrong")
        if promise.payload.get("breaks"):
            raise RuntimeError("a defect")
        self.ran.append(promise.seq_id)
        return f"result {promise.seq_id}"

    def submit(self, seq_id: int | None, ordered: bool = True, **payload: Any) -> Promise:
        lane, print_ = "lane" if ordered else "crowd", repr(payload)
        known = self.book.previous(lane, seq_id, print_)
        if known is not None:
            return known
        promise = Promise(
            request_id=f"{lane}-{seq_id}-{len(self.book.promises)}",
            operation="optim_step",
            tenant_id=TENANT,
            lane_id=lane,
            seq_id=seq_id,
            fingerprint=print_,
            payload=payload,
            submitted_at=self.clock.now(),
        )
        return self.book.add(promise, ordered=ordered)

    async def finished(self, promise: Promise) -> bool:
        return await self.book.wait(promise, 1.0)


def on_bench(test: Callable[[Bench], Coroutine[Any, Any, None]]) -> Callable[[], None]:
    """Run a test coroutine with a fresh bench."""

    def run() -> None:
        async def main() -> None:
            bench = Bench()
            await test(bench)
            bench.book.stop()

        asyncio.run(main())

    run.__name__ = test.__name__
    run.__doc__ = test.__doc__
    return run


@on_bench
async def test_work_runs_by_number_whatever_the_order_of_arrival(bench: Bench) -> None:
    promises = [bench.submit(number) for number in (3, 2, 4, 1)]
    for promise in promises:
        await bench.finished(promise)
    assert bench.ran == [1, 2, 3, 4]


@on_bench
async def test_a_missing_number_holds_back_those_behind_it(bench: Bench) -> None:
    first, third = bench.submit(1), bench.submit(3)
    await bench.finished(first)
    await bench.clock.settle()
    assert third.state == "queued"
    bench.submit(2)
    await bench.finished(third)
    assert bench.ran == [1, 2, 3]


@on_bench
async def test_a_skipped_number_is_not_waited_for(bench: Bench) -> None:
    await bench.finished(bench.submit(1))
    third = bench.submit(3)
    bench.book.skip("lane", 2)
    await bench.finished(third)
    assert bench.ran == [1, 3]
    with pytest.raises(Conflict, match="has been passed"):
        bench.submit(2)


@on_bench
async def test_work_without_a_number_follows_what_was_submitted_before(bench: Bench) -> None:
    first = bench.submit(None)
    later = [bench.submit(2), bench.submit(None), bench.submit(1), bench.submit(3)]
    for promise in [first, *later]:
        await bench.finished(promise)
    assert bench.ran == [None, 1, 2, None, 3]


@on_bench
async def test_a_repeated_submission_is_the_same_promise(bench: Bench) -> None:
    first = bench.submit(1, value=1)
    assert bench.submit(1, value=1) is first
    with pytest.raises(Conflict, match="different request"):
        bench.submit(1, value=2)
    await bench.finished(first)
    assert bench.submit(1, value=1) is first
    assert bench.ran == [1]


@on_bench
async def test_unordered_work_waits_for_nobody(bench: Bench) -> None:
    bench.gates[0] = asyncio.Event()
    held, free = bench.submit(0, ordered=False), bench.submit(7, ordered=False)
    await bench.finished(free)
    assert held.open
    bench.gates[0].set()
    await bench.finished(held)
    assert [p.number for p in (free, held)] == [1, 2]


@on_bench
async def test_a_failure_is_the_promise_s_own(bench: Bench) -> None:
    failed, broken, fine = (
        bench.submit(1, fails=True),
        bench.submit(2, breaks=True),
        bench.submit(3),
    )
    await bench.finished(fine)
    assert failed.outcome is not None
    assert broken.outcome is not None
    assert (failed.outcome.error, failed.outcome.category) == ("data: is wrong", "user")
    assert broken.outcome.category == "server"
    assert fine.state == "completed"


@on_bench
async def test_cancelling_what_waits_frees_the_lane(bench: Bench) -> None:
    bench.gates[1] = asyncio.Event()
    running, waiting, last = bench.submit(1), bench.submit(2), bench.submit(3)
    await bench.clock.settle()
    assert bench.book.cancel(waiting)
    assert not bench.book.cancel(running), "work that has begun in order is finished"
    bench.gates[1].set()
    await bench.finished(last)
    assert bench.ran == [1, 3]
    assert waiting.state == "cancelled"


@on_bench
async def test_what_is_ended_by_hand_while_it_runs_stays_as_it_was_left(bench: Bench) -> None:
    bench.gates = {1: asyncio.Event(), 2: asyncio.Event()}
    failed, expired, last = bench.submit(1), bench.submit(2), bench.submit(3)
    await bench.clock.settle()
    bench.book.fail(failed, Outcome("failed", error="burnt"))
    bench.gates[1].set()
    await bench.clock.settle()
    bench.book.expire(expired)
    bench.gates[2].set()
    await bench.finished(last)
    assert bench.ran == [1, 2, 3]
    assert (failed.state, failed.outcome) == ("failed", Outcome("failed", error="burnt"))
    assert (expired.state, expired.outcome) == ("expired", None)
    assert bench.policy.ended == [failed, expired, last], "whoever gave them a worker gets it back"


@on_bench
async def test_completion_wakes_every_waiter_at_once(bench: Bench) -> None:
    bench.gates[1] = asyncio.Event()
    promise = bench.submit(1)
    waiters = [asyncio.create_task(bench.book.wait(promise, 30.0)) for _ in range(5)]
    lane = asyncio.create_task(bench.book.wait_lane("lane", 0, 30.0))
    await bench.clock.settle()
    bench.gates[1].set()
    assert await asyncio.gather(*waiters) == [True] * 5
    assert [p.request_id for p in await lane] == [promise.request_id]
    assert bench.clock.monotonic() == 0


@on_bench
async def test_waiting_ends_with_its_limit(bench: Bench) -> None:
    bench.gates[1] = asyncio.Event()
    promise = bench.submit(1)
    waiter = asyncio.create_task(bench.book.wait(promise, 30.0))
    await bench.clock.run_for(29)
    assert not waiter.done()
    await bench.clock.run_for(1)
    assert await waiter is False


@on_bench
async def test_results_are_kept_until_the_limit_and_then_gone(bench: Bench) -> None:
    promise = bench.submit(1)
    await bench.finished(promise)
    await bench.clock.run_for(100)
    assert bench.book.get(TENANT, promise.request_id) is promise
    await bench.clock.run_for(1)
    with pytest.raises(Gone):
        bench.book.get(TENANT, promise.request_id)
    with pytest.raises(NotFound):
        bench.book.get("user-2", promise.request_id)
    await bench.clock.run_for(99)
    with pytest.raises(Gone):
        bench.book.get(TENANT, promise.request_id)
    await bench.clock.run_for(1)
    with pytest.raises(NotFound):
        bench.book.get(TENANT, promise.request_id)


@on_bench
async def test_it_does_not_matter_who_asked_before(bench: Bench) -> None:
    asked, other, repeated, last = [bench.submit(number) for number in (1, 2, 3, 4)]
    for promise in (asked, other, repeated, last):
        await bench.finished(promise)
    await bench.clock.run_for(150)
    with pytest.raises(Gone):
        bench.book.get(TENANT, asked.request_id)
    bench.book.retention.restart()  # as after a restart, or a snapshot that is taken again
    for promise in (asked, other):
        with pytest.raises(Gone):
            bench.book.get(TENANT, promise.request_id)
    assert [one.state for one in await bench.book.wait_lane("lane", 0, 0)] == ["expired"] * 4
    await bench.clock.run_for(51)
    for promise in (asked, other):
        with pytest.raises(NotFound):
            bench.book.get(TENANT, promise.request_id)
    with pytest.raises(Conflict, match="passed"):
        bench.book.previous("lane", 3, repeated.fingerprint)
    assert await bench.book.wait_lane("lane", 0, 0) == []


@on_bench
async def test_a_number_that_never_comes_fails_those_behind_it(bench: Bench) -> None:
    stuck = bench.submit(2)
    await bench.clock.run_for(51)
    bench.book.get(TENANT, stuck.request_id)
    assert stuck.outcome is not None
    assert "seq_id: 1 never arrived" in stuck.outcome.error
    await bench.finished(bench.submit(3))
    assert bench.ran == [3]


@on_bench
async def test_a_pause_lets_running_work_end_and_starts_no_more(bench: Bench) -> None:
    bench.gates[1] = asyncio.Event()
    first, second = bench.submit(1), bench.submit(2)
    await bench.clock.settle()
    pausing = asyncio.create_task(bench.book.pause())
    await bench.clock.settle()
    assert not pausing.done()
    bench.gates[1].set()
    await pausing
    await bench.clock.settle()
    assert (first.state, second.open, bench.ran) == ("completed", True, [1])
    bench.book.resume()
    await bench.finished(second)


@on_bench
async def test_a_pause_after_a_reset_waits_for_nobody(bench: Bench) -> None:
    bench.gates[1] = asyncio.Event()
    bench.submit(1)
    await bench.clock.settle()
    bench.store.current = State()
    bench.book.reload()
    await bench.clock.settle()
    await asyncio.wait_for(bench.book.pause(), 20)
    bench.book.resume()
    bench.gates.clear()
    await bench.finished(bench.submit(1))
    assert bench.ran == [1]


class SlowToShow(Immediate):
    """A policy that holds every outcome back for ten seconds."""

    def __init__(self, clock: ManualClock) -> None:
        super().__init__()
        self.clock = clock

    async def settle(self, promise: Promise) -> None:
        await self.clock.sleep(10)

    def queue_state(self, promise: Promise) -> QueueState:
        return QueueState("paused_capacity", "no room")


@on_bench
async def test_the_policy_decides_when_an_outcome_is_visible(bench: Bench) -> None:
    bench.book.policy = SlowToShow(bench.clock)
    failed = bench.submit(1, fails=True)
    await bench.clock.run_for(9)
    assert failed.state == "running"
    await bench.clock.run_for(1)
    assert failed.state == "failed"
