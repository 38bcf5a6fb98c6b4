"""Sampling: what is submitted, how long refusals hold everybody back, and what is tried again."""

import asyncio
from typing import Any

import pytest

from tests.client.conftest import ScriptedServer
from tests.client.opened import SAMPLER, sampling
from tinker_mock.client import (
    ApiStatusError,
    ApiTimeoutError,
    Category,
    ManualClock,
    ModelInput,
    QueueState,
    RetryConfig,
    SamplingParams,
    ValidationError,
)
from tinker_mock.client.elixir.circuit import CircuitBreaker
from tinker_mock.client.futures.attempts import RetryHandler
from tinker_mock.client.http.throttle import RateLimiter
from tinker_mock.client.sampling.dispatch import DispatchLimits, SamplingDispatch
from tinker_mock.client.semaphores import BytesSemaphore
from tinker_mock.client.watch.queue_state import QueueStateLogger, pause_line, reason_for

SAMPLE = {"sequences": [{"tokens": [1], "logprobs": None, "stop_reason": "stop"}]}
ONCE = {"retry_config": RetryConfig(enable_retry_logic=False)}
ONE = ModelInput.from_ints([1])


def a_server(asample: Any) -> ScriptedServer:
    return ScriptedServer({**SAMPLER, "asample": asample, "retrieve_future": SAMPLE})


@pytest.mark.anyio
async def test_a_sample_is_submitted_with_its_number_and_without_nulls() -> None:
    server = a_server({"request_id": "r"})
    params = SamplingParams(max_tokens=5, temperature=0.7)
    async with sampling(server) as client:
        await client.sample(ModelInput.from_ints([1, 2, 3]), 2, params)
    assert server.bodies("asample") == [
        {
            "sampling_session_id": "sampler",
            "seq_id": 0,
            "prompt": {"chunks": [{"tokens": [1, 2, 3], "type": "encoded_text"}]},
            "sampling_params": {
                "max_tokens": 5,
                "temperature": 0.7,
                "top_k": -1,
                "top_p": 1.0,
            },
            "num_samples": 2,
            "topk_prompt_logprobs": 0,
            "type": "sample",
        }
    ]
    request = next(one for one in server.requests if one.url.path.endswith("/asample"))
    assert request.method == "POST"
    assert request.headers["x-tinker-sampling-backpressure"] == "1"


@pytest.mark.anyio
@pytest.mark.parametrize(("wanted", "sent"), [(True, {"prompt_logprobs": True}), (None, {})])
async def test_logprobs_of_the_prompt_are_asked_for_or_not_mentioned(
    wanted: bool | None, sent: dict[str, bool]
) -> None:
    server = a_server({"request_id": "r"})
    async with sampling(server) as client:
        await client.sample(ONE, include_prompt_logprobs=wanted)
    (body,) = server.bodies("asample")
    assert {name: body[name] for name in body if name == "prompt_logprobs"} == sent


@pytest.mark.anyio
async def test_a_sample_answered_at_once_needs_no_poll() -> None:
    server = a_server({"sequences": [{"tokens": [1]}]})
    async with sampling(server) as client:
        assert len((await client.sample(ONE)).sequences) == 1
    assert "retrieve_future" not in server.paths()


@pytest.mark.anyio
async def test_http_does_not_try_a_sample_again() -> None:
    server = a_server([(503, {}), (200, {})])
    with pytest.raises(ApiStatusError) as caught:
        async with sampling(server, **ONCE) as client:
            await client.sample(ONE)
    assert (caught.value.status, len(server.bodies("asample"))) == (503, 1)


@pytest.mark.anyio
@pytest.mark.parametrize(("tokens", "seconds"), [(1, 1), (13_107, 1), (15_000, 5)])
async def test_a_refused_prompt_over_128_kib_holds_back_for_longer(
    tokens: int, seconds: float
) -> None:
    server = a_server((429, {"error": "rate"}))
    async with sampling(server, **ONCE) as client:
        with pytest.raises(ApiStatusError):
            await client.sample(ModelInput.from_ints([1] * tokens))
        assert client.connection.limiter.remaining == pytest.approx(seconds, rel=0.15)


@pytest.mark.anyio
async def test_a_refusal_with_a_queue_state_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    body = {
        "error": "rate",
        "queue_state": "paused_capacity",
        "queue_state_reason": "server says wait",
        "request_id": "req-429",
    }
    with pytest.raises(ApiStatusError):
        async with sampling(a_server((429, body)), **ONCE) as client:
            await client.sample(ONE)
    assert "Sampling is paused" in caplog.text
    assert "server says wait" in caplog.text


@pytest.mark.anyio
async def test_a_single_permit_makes_samples_wait_for_each_other() -> None:
    dispatch = SamplingDispatch(RateLimiter(ManualClock()), DispatchLimits(concurrency=1))
    log: list[str] = []

    async def one(name: str) -> None:
        async with dispatch.permit(1):
            log.append(f"{name} starts")
            await asyncio.sleep(0)
            log.append(f"{name} completes")

    await asyncio.gather(one("first"), one("second"))
    assert log == ["first starts", "first completes", "second starts", "second completes"]


@pytest.mark.anyio
async def test_while_holding_back_a_byte_counts_twentyfold() -> None:
    limiter = RateLimiter(ManualClock())
    limiter.set_backoff(10.0)
    dispatch = SamplingDispatch(limiter, DispatchLimits(byte_budget=1000))
    held, leave = [], asyncio.Event()

    async def one(name: str) -> None:
        async with dispatch.permit(100):
            held.append(name)
            await leave.wait()

    tasks = [asyncio.ensure_future(one(name)) for name in ("first", "second")]
    for _ in range(5):
        await asyncio.sleep(0)
    assert (held, dispatch.effective_bytes(100)) == (["first"], 2000)
    leave.set()
    await asyncio.gather(*tasks)
    assert held == ["first", "second"]


def test_limits_of_dispatch() -> None:
    assert DispatchLimits() == DispatchLimits(
        concurrency=400,
        throttled_concurrency=10,
        byte_budget=5_242_880,
        byte_penalty=20,
        recent_backoff_window=10.0,
    )


@pytest.mark.anyio
async def test_a_byte_budget_may_be_overdrawn_once_and_then_blocks() -> None:
    budget = BytesSemaphore(1000)
    await budget.acquire(500)
    await budget.acquire(600)
    assert budget.balance == -100
    third = asyncio.ensure_future(budget.acquire(100))
    await asyncio.sleep(0)
    assert not third.done()
    budget.release(500)
    await asyncio.sleep(0)
    assert third.done()


def test_defaults_of_retries() -> None:
    assert RetryConfig() == RetryConfig(
        max_retries=None,
        base_delay=0.5,
        max_delay=10.0,
        jitter=0.25,
        progress_timeout=7200.0,
        max_connections=1000,
        enable_retry_logic=True,
    )


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("max_retries", -1),
        ("max_retries", "never"),
        ("base_delay", 0),
        ("jitter", -0.1),
        ("max_connections", 0),
        ("enable_retry_logic", "nope"),
    ],
)
def test_settings_of_retries_that_make_no_sense_are_refused(name: str, value: Any) -> None:
    with pytest.raises(ValidationError, match=f"RetryConfig: {name}"):
        RetryConfig(**{name: value})


@pytest.mark.parametrize(
    ("settings", "attempt", "chance", "seconds"),
    [
        ({"max_delay": 8.0, "jitter": 0.0}, 1, 0.0, 1.0),
        ({"max_delay": 8.0, "jitter": 0.0}, 2, 0.0, 2.0),
        ({"max_delay": 1.0, "jitter": 0.0}, 10, 0.0, 1.0),
        ({"base_delay": 1.0, "max_delay": 8.0}, 0, 0.0, 0.75),
        ({"base_delay": 1.0, "max_delay": 8.0}, 0, 1.0, 1.25),
    ],
)
def test_waits_between_samples_double_with_a_quarter_of_chance(
    settings: dict[str, float], attempt: int, chance: float, seconds: float
) -> None:
    assert RetryConfig(**settings).delay(attempt, chance) == pytest.approx(seconds)


@pytest.mark.parametrize(
    ("status", "limit", "attempt", "again"),
    [
        (408, None, 0, True),
        (429, None, 0, True),
        (503, None, 0, True),
        (500, None, 10_000, True),
        (500, 3, 3, False),
    ],
)
def test_statuses_a_sample_is_tried_again_for(
    status: int, limit: int | None, attempt: int, again: bool
) -> None:
    config = RetryConfig(max_retries=limit)
    assert config.allows(ApiStatusError("", status=status), attempt) is again


class Failing:
    """A request that fails with one status after the other (0 crashes), then succeeds."""

    def __init__(self, *statuses: int) -> None:
        self.statuses, self.calls = statuses, 0

    async def __call__(self) -> bool:
        self.calls += 1
        if self.calls > len(self.statuses):
            return True
        status = self.statuses[self.calls - 1]
        if status == 0:
            raise RuntimeError("crash")
        category = Category.USER if status < 500 else Category.SERVER
        raise ApiStatusError("failed", status=status, category=category)


@pytest.mark.anyio
@pytest.mark.parametrize(("statuses", "limit"), [((500, 500), 5), ((0,), None)])
async def test_failures_and_crashes_are_tried_again(
    clock: ManualClock, statuses: tuple[int, ...], limit: int | None
) -> None:
    request = Failing(*statuses)
    assert await RetryHandler(RetryConfig(max_retries=limit), clock=clock).run(request) is True
    assert request.calls == len(statuses) + 1


@pytest.mark.anyio
@pytest.mark.parametrize(("status", "limit", "calls"), [(500, 2, 3), (400, 5, 1)])
async def test_but_not_for_ever_and_not_a_users_mistake(
    clock: ManualClock, status: int, limit: int, calls: int
) -> None:
    request = Failing(*[status] * 9)
    with pytest.raises(ApiStatusError) as caught:
        await RetryHandler(RetryConfig(max_retries=limit), clock=clock).run(request)
    assert (caught.value.status, request.calls) == (status, calls)


@pytest.mark.anyio
async def test_without_progress_nothing_is_tried_again(clock: ManualClock) -> None:
    calls = []

    async def slow() -> bool:
        calls.append("slow")
        await clock.advance(0.1)
        raise ApiStatusError("failed", status=500, category=Category.SERVER)

    with pytest.raises(ApiTimeoutError):
        await RetryHandler(RetryConfig(progress_timeout=0.05), clock=clock).run(slow)
    assert calls == ["slow"]


@pytest.mark.parametrize(
    ("state", "kind", "server_says", "reason"),
    [
        ("paused_rate_limit", "sampling", None, "concurrent sampler weights limit hit"),
        ("paused_rate_limit", "training", None, "concurrent training clients rate limit hit"),
        ("paused_rate_limit", "training", "", "concurrent training clients rate limit hit"),
        (
            "paused_capacity",
            "sampling",
            None,
            "Tinker backend is running short on capacity, please wait",
        ),
        (
            "paused_capacity",
            "training",
            None,
            "Tinker backend is running short on capacity, please wait",
        ),
        ("unknown", "training", None, "unknown"),
    ],
)
def test_reasons_for_a_pause(state: str, kind: Any, server_says: str | None, reason: str) -> None:
    assert reason_for(QueueState(state), kind, server_says) == reason


def test_the_line_for_a_pause() -> None:
    assert (
        pause_line(QueueState.PAUSED_RATE_LIMIT, "sampling", "session-123", None)
        == "Sampling is paused for session-123. Reason: concurrent sampler weights limit hit"
    )


@pytest.mark.anyio
async def test_pauses_are_logged_at_first_and_after_a_minute_and_activity_never(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("DEBUG")
    clock = ManualClock()
    log = QueueStateLogger("sampling", "x", clock=clock)
    log(QueueState.ACTIVE, None)
    assert caplog.text == ""
    assert log.should_log(QueueState.PAUSED_CAPACITY)
    log(QueueState.PAUSED_CAPACITY, None)
    assert caplog.text != ""
    assert not log.should_log(QueueState.PAUSED_CAPACITY)
    await clock.advance(61.0)
    assert log.should_log(QueueState.PAUSED_CAPACITY)


def test_a_circuit_opens_at_its_threshold() -> None:
    default = CircuitBreaker()
    assert (default.failure_threshold, default.reset_timeout) == (5, 30.0)
    assert default.half_open_max_calls == 1
    breaker = CircuitBreaker(failure_threshold=2, clock=ManualClock())
    breaker.record(succeeded=False)
    assert breaker.state == "closed"
    breaker.record(succeeded=False)
    assert breaker.state == "open"
