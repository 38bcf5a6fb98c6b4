"""Holding back: shared back-off, dispatch permits, retries of whole samples, circuit breaker."""

import asyncio
import math
from typing import Any

import pytest

from tests.client.conftest import SESSION, ScriptedServer, config
from tinker_mock.client import (
    ApiStatusError,
    ApiTimeoutError,
    AsyncServiceClient,
    ManualClock,
    ModelInput,
    RetryConfig,
    SamplingParams,
    ValidationError,
)
from tinker_mock.client.elixir.circuit import CircuitBreaker, CircuitOpenError
from tinker_mock.client.futures.attempts import RetryHandler
from tinker_mock.client.http.throttle import RateLimitBuckets
from tinker_mock.client.sampling.dispatch import DispatchLimits, SamplingDispatch
from tinker_mock.client.semaphores import BytesSemaphore

pytestmark = pytest.mark.anyio
SAMPLE = {"sequences": [{"tokens": [1], "stop_reason": "stop"}]}
PROMPT = ModelInput.from_ints([1, 2, 3])


def a_server(**answers: Any) -> ScriptedServer:
    opened = {"create_sampling_session": {"sampling_session_id": "s:sample:0"}}
    return ScriptedServer({**SESSION, **opened, "asample": SAMPLE, **answers})


@pytest.mark.parametrize(
    ("preset", "numbers"), [("python-latest", [0, 0, 0]), ("python-0.7", [0, 1, 2])]
)
async def test_a_refused_sample_waits_and_is_sent_again(preset: str, numbers: list[int]) -> None:
    clock = ManualClock()
    refused = (429, {"detail": "slow down"})
    server = a_server(
        asample=[refused, refused, SAMPLE],
        **{
            "client/config": {},
            "client/dynamic_config": {},
            "samplers/s:sample:0": {"sampler_id": "x", "base_model": "base"},
        },
    )
    async with AsyncServiceClient(config(preset), http=server, clock=clock) as service:
        client = await service.create_sampling_client("base")
        sample = client.sample(PROMPT)
        await clock.advance(0.9)
        assert len(server.bodies("asample")) == 1
        await clock.advance(0.2)
        assert len(server.bodies("asample")) == 2
        await clock.advance(1.1)
        assert (await sample).sequences[0].tokens == [1]
        assert client.connection.limiter.remaining == 0
    assert [body["seq_id"] for body in server.bodies("asample")] == numbers


async def test_one_refusal_holds_back_everybody_at_the_same_server_with_the_same_key() -> None:
    clock = ManualClock()
    server = a_server(asample=[(429, {})] + [SAMPLE] * 3)
    async with AsyncServiceClient(config(), http=server, clock=clock) as service:
        first = await service.create_sampling_client("base")
        second = await service.create_sampling_client("base")
        one = first.sample(PROMPT)
        await clock.advance(0.1)
        two = second.sample(PROMPT)
        await clock.advance(0.5)
        assert len(server.bodies("asample")) == 1
        await clock.advance(1.0)
        await asyncio.gather(one, two)
    buckets = RateLimitBuckets(clock)
    assert buckets.bucket("http://A:80/x", "k") is buckets.bucket("http://a", "k")
    assert buckets.bucket("http://a", "k") is not buckets.bucket("http://a", "other")


async def test_permits_are_few_and_prompts_heavy_while_the_server_pushes_back() -> None:
    clock = ManualClock()
    limiter = RateLimitBuckets(clock).bucket("http://a", "k")
    limits = DispatchLimits(concurrency=8, throttled_concurrency=2, byte_budget=10_000)
    dispatch, running, most = SamplingDispatch(limiter, limits), 0, 0

    async def one() -> None:
        nonlocal running, most
        async with dispatch.permit(10):
            running += 1
            most = max(most, running)
            await asyncio.sleep(0)
            running -= 1

    await asyncio.gather(*(one() for _ in range(20)))
    assert most == 8
    limiter.set_backoff(1.0)
    most = 0
    await asyncio.gather(*(one() for _ in range(20)))
    assert (most, dispatch.effective_bytes(10)) == (2, 200)
    limiter.clear()
    await clock.advance(9.0)
    assert dispatch.throttled
    await clock.advance(2.0)
    assert (dispatch.throttled, dispatch.effective_bytes(10)) == (False, 10)


async def test_bytes_are_given_out_in_line_and_come_back_after_cancellation() -> None:
    budget, got = BytesSemaphore(100), []

    async def one(name: str, size: int) -> None:
        async with budget.hold(size):
            got.append(name)
            await asyncio.sleep(0)

    await budget.acquire(150)
    tasks = [asyncio.ensure_future(one(name, 60)) for name in "abc"]
    await asyncio.sleep(0)
    tasks[0].cancel()
    await asyncio.gather(*tasks[:1], return_exceptions=True)
    budget.release(150)
    await asyncio.gather(*tasks[1:])
    assert (got, budget.balance) == (["b", "c"], 100)


async def test_a_sample_is_submitted_anew_when_its_promise_is_gone() -> None:
    clock = ManualClock()
    server = a_server(
        asample={"request_id": "r"}, retrieve_future=[(410, {"detail": "expired"}), SAMPLE]
    )
    async with AsyncServiceClient(config(), http=server, clock=clock) as service:
        client = await service.create_sampling_client("base")
        sample = client.sample(PROMPT, 1, SamplingParams(max_tokens=1))
        await clock.advance(2.0)
        assert (await sample).sequences[0].stop_reason == "stop"
    assert [body["seq_id"] for body in server.bodies("asample")] == [0, 1]


async def test_when_nothing_moves_a_hanging_request_is_cut_off() -> None:
    clock = ManualClock()
    handler = RetryHandler(RetryConfig(progress_timeout=60.0), clock=clock)
    stuck = asyncio.ensure_future(handler.run(asyncio.Event().wait))
    await clock.advance(59.0)
    assert not stuck.done()
    await clock.advance(2.0)
    with pytest.raises(ApiTimeoutError, match="No progress made in 60s"):
        await stuck


async def test_a_server_may_switch_the_detection_of_stuck_samples_off() -> None:
    clock = ManualClock()
    handler = RetryHandler(RetryConfig(progress_timeout=math.inf), clock=clock)
    slow = asyncio.ensure_future(handler.run(asyncio.Event().wait))
    await clock.advance(1e6)
    assert not slow.done()
    slow.cancel()
    await asyncio.gather(slow, return_exceptions=True)
    settings = {"sample_enable_stuck_detection": False, "sample_no_retries": True}
    lookup = {"sampler_id": "x", "base_model": "base"}
    answers = {"client/config": settings, "samplers/s:sample:0": lookup}
    server = a_server(asample=(503, {}), **answers)
    options: dict[str, Any] = {"submission_window": 0.0}
    async with AsyncServiceClient(
        config("python-latest", **options), http=server, clock=clock
    ) as service:
        client = await service.create_sampling_client("base")
        with pytest.raises(ApiStatusError):
            await client.sample(PROMPT)
    assert len(server.bodies("asample")) == 1


async def test_others_progress_keeps_a_slow_request_alive() -> None:
    clock = ManualClock()
    handler = RetryHandler(RetryConfig(progress_timeout=60.0), clock=clock)

    async def quick() -> int:
        return 1

    slow = asyncio.ensure_future(handler.run(asyncio.Event().wait))
    for _ in range(5):
        await clock.advance(50.0)
        assert await handler.run(quick) == 1
    assert not slow.done()
    slow.cancel()
    await asyncio.gather(slow, return_exceptions=True)


@pytest.mark.parametrize(
    "options",
    [
        {"max_retries": -1},
        {"max_retries": True},
        {"base_delay": 0},
        {"jitter": 2},
        {"max_delay": 0.1},
        {"progress_timeout": 0},
        {"max_connections": 0},
    ],
)
def test_settings_that_make_no_sense_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match=f"RetryConfig: {next(iter(options))}"):
        RetryConfig(**options)


async def test_a_circuit_opens_waits_probes_and_closes() -> None:
    clock, calls = ManualClock(), []
    breaker = CircuitBreaker(failure_threshold=2, reset_timeout=30.0, clock=clock)

    async def attempt(status: int | None) -> None:
        async def work() -> None:
            calls.append(status)
            if status is not None:
                raise ApiStatusError("x", status=status)

        await breaker.call(work)

    for status in (404, 500, 500):
        with pytest.raises(ApiStatusError):
            await attempt(status)
    with pytest.raises(CircuitOpenError, match="failed 2 times"):
        await attempt(None)
    await clock.advance(30.0)
    assert breaker.state == "half_open"
    with pytest.raises(ApiStatusError):
        await attempt(500)
    assert breaker.state == "open"
    await clock.advance(30.0)
    await attempt(None)
    assert breaker.state == "closed"
    assert calls == [404, 500, 500, 500, None]
