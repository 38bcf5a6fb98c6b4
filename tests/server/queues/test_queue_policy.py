"""Completion, capacity, rate limits and billing, on a manual clock and a real promise book."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from tinker_mock.server.clock import ManualClock
from tinker_mock.server.errors import PaymentRequired, TooManyRequests
from tinker_mock.server.promises import PromiseBook
from tinker_mock.server.queues import QueuePolicy, QueueRules
from tinker_mock.server.scenarios.scenario import read_scenario
from tinker_mock.server.state.promise import Promise
from tinker_mock.server.state.records import Tenant
from tinker_mock.server.state.store import Store

MODEL = "Qwen/Qwen3-8B"
OPERATIONS = ["asample", "forward_backward", "optim_step"]


class Desk:
    """A promise book under queue rules; operations take no time of their own."""

    def __init__(self, queue: str) -> None:
        text = "\n".join("  " + line for line in queue.splitlines())
        self.rules = read_scenario(f"queue:\n{text}\n", "test.yaml", OPERATIONS).queue
        self.clock = ManualClock()
        self.policy = QueuePolicy(self.rules, self.clock)
        self.book = PromiseBook(Store(), self.clock, self.policy, self.perform)
        self.performed: list[str] = []

    async def perform(self, promise: Promise) -> dict[str, Any]:
        self.performed.append(promise.request_id)
        return {"done": promise.request_id}

    def submit(
        self,
        request_id: str,
        operation: str = "forward_backward",
        seq: int | None = None,
        **more: Any,
    ) -> Promise:
        promise = Promise(
            request_id, operation, "user-1", more.get("lane", "model:m"), seq, request_id,
            more.get("payload", {}), self.clock.now(), base_model=more.get("model", MODEL),
        )  # fmt: skip
        return self.book.add(promise, ordered=operation != "asample")

    def state(self, promise: Promise) -> tuple[str, str | None]:
        queue = self.policy.queue_state(promise)
        return queue.state, queue.reason


def on_a_desk(queue: str, scenario: Callable[[Desk], Awaitable[None]]) -> None:
    async def run() -> None:
        desk = Desk(queue)
        try:
            await scenario(desk)
        finally:
            desk.book.stop()

    asyncio.run(run())


def user(name: str = "user-1") -> Tenant:
    return Tenant(name, 1, "key", name, f"{name}@mock.invalid", "org", "project", 0.0)


def test_without_rules_everything_is_done_at_once() -> None:
    async def scenario(desk: Desk) -> None:
        promise = desk.submit("a", seq=1)
        await desk.clock.settle()
        assert promise.state == "completed"

    on_a_desk("{}", scenario)


def test_after_a_time() -> None:
    async def scenario(desk: Desk) -> None:
        first, second = desk.submit("a", seq=1), desk.submit("b", seq=2)
        await desk.clock.run_for(1.9)
        assert (first.state, second.state) == ("running", "queued")
        await desk.clock.run_for(0.2)
        assert (first.state, second.state) == ("completed", "running")
        await desk.clock.run_for(2)
        assert second.state == "completed"

    on_a_desk("completion: [{operation: 'forward*', after: 2s}]", scenario)


def test_after_so_many_polls() -> None:
    async def scenario(desk: Desk) -> None:
        promise = desk.submit("a", seq=1)
        for polls in (1, 2):
            await desk.clock.settle()
            assert promise.state == "running"
            promise.polls = polls
            desk.policy.polled(promise)
        await desk.clock.settle()
        assert promise.state == "completed"

    on_a_desk("completion: [{polls: 2}]", scenario)


def test_manual_completion() -> None:
    async def scenario(desk: Desk) -> None:
        promise = desk.submit("a", seq=1)
        await desk.clock.run_for(10_000)
        assert promise.state == "running"
        assert desk.policy.held() == ["a"]
        desk.policy.release("a")
        await desk.clock.settle()
        assert promise.state == "completed"
        assert desk.policy.held() == []

    on_a_desk("completion: [{manual: true}]", scenario)


def test_workers_are_shared_by_the_models_of_a_base_and_the_rest_waits_in_line() -> None:
    async def scenario(desk: Desk) -> None:
        one = desk.submit("one", seq=1, lane="model:1")
        two = desk.submit("two", seq=1, lane="model:2")
        three = desk.submit("three", seq=1, lane="model:3")
        behind = desk.submit("behind", seq=2, lane="model:3")
        elsewhere = desk.submit("elsewhere", seq=1, lane="model:4", model="Other/Model")
        await desk.clock.run_for(1)
        assert desk.state(one) == ("active", None)
        reason = f"all 1 workers of {MODEL} are busy, 0 operations are ahead"
        assert desk.state(two) == ("paused_capacity", reason)
        assert desk.state(three)[1] == reason.replace("0 operations", "1 operations")
        assert desk.state(behind) == desk.state(three)
        assert desk.state(elsewhere) == ("active", None)
        await desk.clock.run_for(10)
        assert (one.state, two.state, three.state) == ("completed", "running", "queued")
        desk.book.cancel(three)
        await desk.clock.run_for(20)
        assert [p.state for p in (two, behind)] == ["completed", "completed"]
        assert desk.performed == ["one", "elsewhere", "two", "behind"]

    on_a_desk(
        f"completion: [{{after: 10s}}]\ncapacity: [{{model: '{MODEL}', workers: 1}}]", scenario
    )


def test_a_cold_start_says_when_the_model_is_ready() -> None:
    async def scenario(desk: Desk) -> None:
        promise = desk.submit("a", seq=1)
        await desk.clock.run_for(12)
        state = ("paused_capacity", f"{MODEL} is being loaded, ready in 18 s")
        assert desk.state(promise) == state
        await desk.clock.run_for(19)
        assert promise.state == "completed"
        second = desk.submit("b", seq=2)
        await desk.clock.settle()
        assert second.state == "completed"

    on_a_desk("capacity: [{workers: 4, cold_start: 30s}]", scenario)


def test_rate_limits_that_pause_show_it_in_the_queue_state() -> None:
    async def scenario(desk: Desk) -> None:
        promises = [desk.submit(f"s{i}", "asample", seq=i, lane="sampler:1") for i in range(3)]
        await desk.clock.run_for(4)
        assert [p.state for p in promises] == ["completed", "completed", "queued"]
        words = "rate limit: 2 requests per 10 s and API key; next start in 6 s"
        assert desk.state(promises[2]) == ("paused_rate_limit", words)
        await desk.clock.run_for(7)
        assert promises[2].state == "completed"

    on_a_desk("rate_limits: [{requests: 2, per: 10s, mode: pause}]", scenario)


def test_rate_limits_that_reject_say_when_to_come_back() -> None:
    async def scenario(desk: Desk) -> None:
        def submitting(operation: str, name: str = "user-1") -> None:
            desk.policy.submitting(user(name), operation, {})

        submitting("asample")
        await desk.clock.run_for(0.5)
        submitting("optim_step")
        submitting("asample", "user-2")
        with pytest.raises(TooManyRequests) as refusal:
            submitting("asample")
        assert refusal.value.headers == {"retry-after": "2", "retry-after-ms": "1500"}
        await desk.clock.run_for(1.5)
        submitting("asample")

    on_a_desk("rate_limits: [{operation: asample, requests: 1, per: 2s}]", scenario)


def test_the_billing_pause_ends() -> None:
    async def scenario(desk: Desk) -> None:
        desk.policy.submitting(user(), "asample", {})
        with pytest.raises(PaymentRequired, match="paused for another 20 s"):
            desk.policy.submitting(user(), "asample", {})
        await desk.clock.run_for(20)
        desk.policy.submitting(user(), "asample", {})

    on_a_desk("billing_pause: {after_requests: 1, for: 20s}", scenario)


def test_a_latency_profile_costs_tokens() -> None:
    async def scenario(desk: Desk) -> None:
        payload = {"prompt": {"chunks": [{"tokens": list(range(9000))}]}}
        short = desk.submit("short", "asample", lane="sampler:1")
        long = desk.submit("long", "asample", lane="sampler:1", payload=payload)
        await desk.clock.run_for(0.2)
        assert (short.state, long.state) == ("completed", "running")
        await desk.clock.run_for(0.9)
        assert long.state == "completed"

    on_a_desk("completion: [{latency: steady}]", scenario)


def test_new_rules_let_waiting_work_in() -> None:
    async def scenario(desk: Desk) -> None:
        slow = desk.submit("slow", seq=1, lane="model:1")
        waiting = desk.submit("waiting", seq=1, lane="model:2")
        await desk.clock.run_for(1)
        assert (slow.state, waiting.state) == ("running", "queued")
        desk.policy.apply(QueueRules())
        await desk.clock.settle()
        assert waiting.state == "completed"

    on_a_desk("completion: [{after: 1h}]\ncapacity: [{workers: 1}]", scenario)
