"""Promises: every way a server may answer for one, and how long the client waits in between."""

import asyncio
from typing import Any

import httpx
import pytest

from tests.client.conftest import ScriptedServer, config
from tinker_mock.client import (
    ApiTimeoutError,
    Category,
    ManualClock,
    Operation,
    QueueState,
    TinkerError,
    ValidationError,
    await_many,
)
from tinker_mock.client.config.presets import TINKEX
from tinker_mock.client.futures.answers import (
    Completed,
    Failed,
    TryAgain,
    read_body,
    read_try_again,
)
from tinker_mock.client.futures.poller import (
    FuturePoller,
    Poll,
    answered_wait,
    backoff,
    connection_wait,
)
from tinker_mock.client.http.transport import Transport

LOST = httpx.ConnectError("refused")
FORWARD_BACKWARD = {
    "loss_fn_output_type": "CrossEntropyLossReturn",
    "loss_fn_outputs": [
        {
            "elementwise_loss": {"data": [1.0, 2.0], "dtype": "float32", "shape": [2]},
            "logprobs": {"data": [0.1, 0.2], "dtype": "float32", "shape": [2]},
        }
    ],
    "metrics": {"loss": 3.5},
}


def completed(**result: Any) -> dict[str, Any]:
    return {"status": "completed", "result": result}


def try_again(**fields: Any) -> dict[str, Any]:
    return {"type": "try_again", "request_id": "r", **fields}


@pytest.mark.parametrize(
    ("fields", "state", "reason", "wait"),
    [
        ({"queue_state": "active", "retry_after_ms": 1000}, QueueState.ACTIVE, None, 1000),
        ({"queue_state": "active", "retry_after_ms": None}, QueueState.ACTIVE, None, None),
        (
            {"queue_state": "paused_capacity", "retry_after_ms": 5000},
            QueueState.PAUSED_CAPACITY,
            None,
            5000,
        ),
        (
            {"queue_state": "paused_capacity", "queue_state_reason": "server says wait"},
            QueueState.PAUSED_CAPACITY,
            "server says wait",
            None,
        ),
    ],
)
def test_a_try_again_says_why_and_for_how_long(
    fields: dict[str, Any], state: QueueState, reason: str | None, wait: int | None
) -> None:
    assert read_try_again(try_again(**fields)) == TryAgain(state, reason, wait)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({}, "queue_state must be a string"),
        ({"queue_state": "paused_capacity", "queue_state_reason": 123}, "queue_state_reason"),
    ],
)
def test_a_try_again_strictly_read_needs_a_state_in_words(
    fields: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValidationError, match=message):
        read_try_again(try_again(**fields))


@pytest.mark.parametrize("body", [FORWARD_BACKWARD, {"metrics": {"lr": 0.1}}])
def test_a_result_without_an_envelope_is_a_result(body: dict[str, Any]) -> None:
    assert read_body(body) == Completed(body)


@pytest.mark.parametrize(
    ("body", "failed"),
    [
        (
            {"status": "failed", "error": {"message": "Something went wrong"}},
            Failed({"message": "Something went wrong"}, "Something went wrong", Category.UNKNOWN),
        ),
        (
            {"error": "Failed to process", "category": "user"},
            Failed("Failed to process", "Failed to process", Category.USER),
        ),
    ],
)
def test_a_failure_is_nested_or_flat(body: dict[str, Any], failed: Failed) -> None:
    assert read_body(body) == failed


async def poll(
    answers: list[Any], clock: ManualClock, *, preset: str = "tinkex", **question: Any
) -> tuple[Any, ScriptedServer]:
    server = ScriptedServer({"retrieve_future": answers})
    return await ask(server, clock, preset, **question), server


async def ask(
    server: ScriptedServer,
    clock: ManualClock,
    preset: str = "tinkex",
    request_id: str = "r",
    **question: Any,
) -> Any:
    async with Transport(config(preset), clock=clock, http=server) as transport:
        return (await FuturePoller(transport).result(Poll(request_id, "Sample", **question))).result


@pytest.mark.anyio
async def test_the_question_names_the_promise_and_newer_clients_say_whether_metadata_will_do(
    clock: ManualClock,
) -> None:
    _, server = await poll([{"ok": 1}], clock, request_id="req-456")
    assert server.bodies("retrieve_future") == [{"request_id": "req-456"}]
    _, server = await poll([{"ok": 1}], clock, preset="python-latest", metadata_first=True)
    assert server.bodies("retrieve_future") == [{"request_id": "r", "allow_metadata_only": True}]


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("answers", "result", "sleeps"),
    [
        pytest.param([completed(value=42)], {"value": 42}, [], id="at once"),
        pytest.param([{"status": "pending"}, completed(ok=True)], {"ok": True}, [1], id="pending"),
        pytest.param(
            [*[(408, {"message": "Request timeout"})] * 3, completed(data="success")],
            {"data": "success"},
            [],
            id="408 thrice",
        ),
        pytest.param(
            [(500, {}), (502, {}), (503, {}), completed(data="success")],
            {"data": "success"},
            [],
            id="5xx",
        ),
        pytest.param(
            [(408, {}), (503, {}), (408, {}), (500, {}), completed(data="finally")],
            {"data": "finally"},
            [],
            id="408 and 5xx",
        ),
        pytest.param([LOST, completed(status="ok")], {"status": "ok"}, [1], id="one lost"),
        pytest.param([LOST, LOST, completed(a=1)], {"a": 1}, [1, 2], id="two lost"),
        pytest.param(
            [try_again(queue_state="active", retry_after_ms=250), completed(a=1)],
            {"a": 1},
            [0.25],
            id="advice",
        ),
        pytest.param(
            [
                try_again(queue_state="paused_capacity"),
                try_again(queue_state="paused_rate_limit"),
                completed(a=1),
            ],
            {"a": 1},
            [1, 1],
            id="paused",
        ),
    ],
)
async def test_a_promise_is_polled_until_it_is_kept(
    clock: ManualClock, answers: list[Any], result: Any, sleeps: list[float]
) -> None:
    found, server = await poll(answers, clock)
    assert found == result
    assert clock.sleeps == sleeps
    assert len(server.requests) == len(answers)


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("answer", "kind", "status", "category", "message"),
    [
        (
            {"status": "failed", "error": {"message": "bad input", "category": "user"}},
            "request_failed",
            None,
            "user",
            "bad input",
        ),
        (
            (400, {"message": "Bad request", "category": "user"}),
            "api_status",
            400,
            "user",
            "Bad request",
        ),
        ((404, {"detail": "no such promise"}), "api_status", 404, "user", "no such promise"),
        (
            (410, {"message": "promise expired", "category": "server"}),
            "api_status",
            410,
            "server",
            "expired",
        ),
    ],
)
async def test_some_answers_are_final(
    clock: ManualClock, answer: Any, kind: str, status: int | None, category: str, message: str
) -> None:
    server = ScriptedServer({"retrieve_future": [answer]})
    with pytest.raises(TinkerError, match=message) as caught:
        await ask(server, clock)
    found = caught.value
    assert (found.kind, found.status, found.category) == (kind, status, category)
    assert len(server.requests) == 1


@pytest.mark.anyio
async def test_a_promise_that_is_gone_is_named(clock: ManualClock) -> None:
    with pytest.raises(TinkerError) as caught:
        await poll([(410, {})], clock, request_id="abc")
    assert caught.value.message == "Promise expired for request abc; submit a new request."


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("answer", "timeout", "kind", "status", "category"),
    [
        ((408, {}), 0.010, "api_status", 408, "user"),
        (
            {"status": "failed", "error": {"message": "flaky", "category": "server"}},
            0.005,
            "request_failed",
            None,
            "server",
        ),
    ],
)
async def test_when_the_time_is_over_the_last_answer_is_the_error(
    clock: ManualClock, answer: Any, timeout: float, kind: str, status: int | None, category: str
) -> None:
    class Slow(ScriptedServer):
        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            await clock.advance(0.004)
            return await super().handle_async_request(request)

    server = Slow({"retrieve_future": answer})
    with pytest.raises(TinkerError) as caught:
        await ask(server, clock, timeout=timeout)
    assert (caught.value.kind, caught.value.status) == (kind, status)
    assert caught.value.category == category


@pytest.mark.parametrize(
    ("iteration", "seconds"), [(0, 1), (1, 2), (3, 8), (4, 16), (5, 30), (6, 30), (7, 30)]
)
def test_waits_between_polls_double_up_to_half_a_minute(iteration: int, seconds: int) -> None:
    assert backoff(iteration) == seconds


@pytest.mark.parametrize(("failures", "seconds"), [(0, 1), (2, 4), (3, 8), (5, 30)])
def test_waits_after_lost_connections_do_too(failures: int, seconds: int) -> None:
    assert connection_wait(failures) == seconds


@pytest.mark.parametrize(
    ("state", "advice", "iteration", "seconds"),
    [
        (QueueState.ACTIVE, 5000, 3, 5),
        (QueueState.ACTIVE, None, 3, 8),
        (QueueState.PAUSED_CAPACITY, None, 3, 1),
        (QueueState.UNKNOWN, None, 10, 30),
    ],
)
def test_advice_beats_a_pause_beats_the_schedule(
    state: QueueState, advice: int | None, iteration: int, seconds: float
) -> None:
    assert answered_wait(TryAgain(state, None, advice), iteration) == seconds


@pytest.mark.anyio
async def test_waiting_for_an_operation_may_end_before_it(clock: ManualClock) -> None:
    operation = Operation(asyncio.Event().wait(), clock)
    with pytest.raises(ApiTimeoutError) as caught:
        await operation.result(0.010)
    assert caught.value.kind == "api_timeout"
    assert caught.value.message == "Future task did not complete within 10ms"


@pytest.mark.anyio
async def test_waiting_for_several_keeps_their_order_and_returns_errors(
    clock: ManualClock,
) -> None:
    async def kept() -> str:
        return "value"

    async def crashes() -> str:
        raise RuntimeError("crash")

    async def hangs() -> str:
        await asyncio.Event().wait()
        raise AssertionError

    operations = [Operation(work(), clock) for work in (kept, crashes, hangs)]
    value, crash, late = await await_many(operations, timeout=1.0, preset=TINKEX)
    assert value == "value"
    assert isinstance(crash, TinkerError)
    assert isinstance(late, TinkerError)
    assert (crash.kind, late.kind) == ("api_timeout", "api_timeout")
