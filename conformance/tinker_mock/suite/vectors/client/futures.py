"""Promises: reading answers, polling, waiting for several."""

import asyncio
from typing import Any

from tinker_mock.client import ManualClock, Operation, QueueState, TinkerError, await_many
from tinker_mock.client.config.presets import TINKEX
from tinker_mock.client.errors import ApiTimeoutError
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
from tinker_mock.suite.vectors.client.stage import Component, Stage, failure, rejected, run
from tinker_mock.suite.vectors.comparison import Partial
from tinker_mock.suite.vectors.runner import Chosen


def try_again_response(given: Any, _entry: Any) -> Any:
    return rejected(lambda: _try_again(read_try_again(given)))


def _try_again(answer: TryAgain) -> Any:
    return Partial(
        kind="try_again",
        queue_state=answer.queue_state.value,
        queue_state_reason=answer.queue_state_reason,
        retry_after_ms=answer.retry_after_ms,
    )


def future_retrieve(given: Any, entry: Any) -> Any:
    if "request" in given:
        body = _polled(metadata_first=given["request"]["allow_metadata_only"])
        return {"body_key": next(key for key in body if key != "request_id")}
    if given.get("type") == "try_again":
        return rejected(lambda: _try_again(read_try_again(given)))
    answer = read_body(given)
    if "python" in entry["expected"]:
        assert isinstance(answer, Completed)
        assert answer.result == given
        column = "accepted as OptimStepResponse"
        return Chosen("expected.python", column, "a result without a type is a result")
    if isinstance(answer, Failed):
        return Partial(kind="failed", error=answer.error)
    assert isinstance(answer, Completed)
    assert answer.result is given
    return {"kind": "completed", "result": "<the whole body>"}


def future_retrieve_request(given: Any, _entry: Any) -> Any:
    return {"json": _polled(request_id=given, preset="tinkex")}


def _polled(
    request_id: str = "r", *, metadata_first: bool = False, preset: str = "python-latest"
) -> Any:
    stage = Stage({"retrieve_future": {"ok": 1}}, preset=preset)
    poll = Poll(request_id, "Sample", metadata_first=metadata_first)
    run(_poll(stage, poll))
    return stage.script.bodies("retrieve_future")[0]


async def _poll(stage: Stage, poll: Poll) -> Any:
    async with stage.transport() as transport:
        return (await FuturePoller(transport).result(poll)).result


def poll(given: Any, entry: Any) -> Any:
    name = entry["name"]
    if name == "backoff by iteration":
        return round(backoff(given) * 1000)
    if name.startswith("python connection-error"):
        return round(connection_wait(given))
    if name == "try_again sleep selection":
        return [_wait(one) for one in given]
    if name == "410 message text":
        return _poll_script([[given["status"], {}]], given["request_id"])["error"]["message"]
    return _poll_script(_responses(given["responses"]), "r", given.get("poll_timeout_ms"))


def _wait(given: Any) -> int:
    answer = TryAgain(QueueState.parse(given["queue_state"]), None, given["retry_after_ms"])
    return round(answered_wait(answer, given["iteration"]) * 1000)


def _responses(given: Any) -> Any:
    """The repeated answers are written in words."""
    if given == "repeat 408":
        return [[408, {}]]
    if isinstance(given, str):
        error = {"message": "flaky", "category": "server"}
        return [[200, {"status": "failed", "error": error}]]
    return given


def _poll_script(answers: Any, request_id: str, timeout_ms: float | None = None) -> Any:
    stage = Stage(answers)
    timeout = None if timeout_ms is None else timeout_ms / 1000
    if timeout is not None:
        stage.script.hold = lambda: stage.clock.advance(0.004)
    try:
        value = run(_poll(stage, Poll(request_id, "Sample", timeout=timeout)))
        result: dict[str, Any] = {"ok": value}
    except TinkerError as error:
        result = dict(failure(error))
    sleeps = [round(one * 1000) for one in stage.clock.sleeps]
    counts = {"requests": len(stage.script.requests), "sleeps": len(sleeps), "sleeps_ms": sleeps}
    return Partial(result | counts)


def await_one(given: Any, entry: Any) -> Any:
    error = run(_timed_out(given.get("await_timeout_ms", given.get("timeout_ms"))))
    if isinstance(entry["expected"], str):
        return error.message
    return {"error": {"type": error.kind}}


async def _timed_out(timeout_ms: int) -> ApiTimeoutError:
    clock = ManualClock(autojump=True)
    operation: Operation[None] = Operation(asyncio.Event().wait(), clock)  # type: ignore[arg-type]
    try:
        await operation.result(timeout_ms / 1000)
    except ApiTimeoutError as error:
        return error
    raise AssertionError("an operation that never ends did end")


def await_several(given: Any, _entry: Any) -> Any:
    async def wait() -> list[Any]:
        async def one(kind: str) -> str:
            if kind.startswith("ok:"):
                return kind.removeprefix("ok:")
            if kind == "crash":
                raise RuntimeError("crash")
            await asyncio.Event().wait()
            return kind

        clock = ManualClock(autojump=True)
        operations = [Operation(one(kind), clock) for kind in given]
        return await await_many(operations, timeout=1.0, preset=TINKEX)

    return [
        {"error": value.kind} if isinstance(value, TinkerError) else {"ok": value}
        for value in run(wait())
    ]


COMPONENTS: dict[str, Component] = {
    "TryAgainResponse": try_again_response,
    "FutureRetrieve": future_retrieve,
    "FutureRetrieveRequest": future_retrieve_request,
    "Future.poll": poll,
    "Future.await": await_one,
    "Future.await_many": await_several,
}
