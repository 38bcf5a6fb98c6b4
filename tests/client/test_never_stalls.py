"""A user's own code, a server that breaks off, a shared limit: nothing of it stops the client."""

import asyncio
import inspect
import time
from typing import Any

import httpx
import numpy as np
import pytest

from tests.client.conftest import MODEL, SESSION, ScriptedServer, config, numbered, promised
from tests.client.test_first_steps import a_datum, forward_output
from tinker_mock.client import (
    ApiConnectionError,
    ApiTimeoutError,
    AsyncServiceClient,
    ManualClock,
    ModelInput,
    RegularizerSpec,
    ServiceClient,
    ValidationError,
)
from tinker_mock.client.losses.pipeline import compute_loss, run_regularizers
from tinker_mock.client.recovery import RecoveryExecutor, RecoveryPolicy, RunMonitor
from tinker_mock.client.types.records import Checkpoint, TrainingRun

pytestmark = pytest.mark.anyio


def a_trainer(preset: str) -> tuple[AsyncServiceClient, ScriptedServer]:
    results = {
        "create": {"model_id": "m", "type": "create_model"},
        **{f"{kind}-{n}": forward_output() for kind in ("f", "fb") for n in range(1, 6)},
    }
    answers = {
        **MODEL,
        "forward": numbered("f"),
        "forward_backward": numbered("fb"),
        "retrieve_future": promised(results),
    }
    server = ScriptedServer(answers)
    return AsyncServiceClient(config(preset), http=server, clock=ManualClock()), server


async def test_the_loop_goes_on_while_a_loss_computes() -> None:
    beats = 0

    async def heart() -> None:
        nonlocal beats
        while True:
            await asyncio.sleep(0.01)
            beats += 1

    task = asyncio.ensure_future(heart())
    await compute_loss(lambda _d, x: (time.sleep(0.2), x.sum())[1], [], np.ones(3))
    task.cancel()
    assert beats >= 5


async def test_a_synchronous_regularizer_is_given_up_and_two_run_side_by_side() -> None:
    def slow(_data: Any, x: Any) -> Any:
        time.sleep(0.3)
        return x.sum(), {}

    started = time.monotonic()
    with pytest.raises(ApiTimeoutError):
        await run_regularizers([RegularizerSpec(slow, 1.0, "r")], [], np.ones(3), timeout=0.05)
    assert time.monotonic() - started < 0.25
    started = time.monotonic()
    await run_regularizers([RegularizerSpec(slow, 1.0, n) for n in "ab"], [], np.ones(3))
    assert time.monotonic() - started < 0.55


@pytest.mark.parametrize("preset", ["python-0.7", "python-0.24", "tinkex"])
async def test_a_mistake_in_a_loss_leaves_no_gap(preset: str) -> None:
    service, server = a_trainer(preset)

    def mistaken(_data: Any, _logprobs: Any) -> Any:
        raise KeyError("advantages")

    async with service:
        training = await service.create_lora_training_client("base")
        with pytest.raises(KeyError):
            await training.forward_backward_custom([a_datum()], mistaken)
        await training.forward_backward([a_datum()], "cross_entropy")
    assert [body["seq_id"] for body in server.bodies("forward_backward")] == [2]


async def test_a_loss_that_is_no_function_is_refused_before_the_forward_pass() -> None:
    service, server = a_trainer("python-0.7")
    async with service:
        training = await service.create_lora_training_client("base")
        with pytest.raises(ValidationError, match="function"):
            training.forward_backward_custom([a_datum()], "nonsense")  # type: ignore[arg-type]
    assert server.bodies("forward") == []


async def test_a_stream_without_its_end_is_an_error() -> None:
    event = b'data: {"token": "a", "token_id": 1, "index": 0}\n\n'
    answers = {
        **SESSION,
        "create_sampling_session": {"sampling_session_id": "s"},
        "stream_sample": httpx.Response(200, content=event),
    }
    async with AsyncServiceClient(config(), http=ScriptedServer(answers)) as service:
        sampling = await service.create_sampling_client("base")
        stream = sampling.sample_stream(ModelInput.from_ints([1]))
        assert (await anext(stream)).token_id == 1
        with pytest.raises(ApiConnectionError, match="not complete"):
            await anext(stream)


async def test_clients_of_one_server_and_key_hold_back_together(clock: ManualClock) -> None:
    one = AsyncServiceClient(config(), http=ScriptedServer(SESSION), clock=clock)
    two = AsyncServiceClient(config(), http=ScriptedServer(SESSION), clock=clock)
    other = AsyncServiceClient(config(api_key="tml-x"), http=ScriptedServer(SESSION), clock=clock)
    assert one.connection.limiter is two.connection.limiter
    assert one.connection.limiter is not other.connection.limiter
    for service in (one, two, other):
        await service.close()


async def test_recoveries_run_at_once_up_to_the_limit_and_callbacks_may_raise() -> None:
    running, most = 0, 0

    async def restore(_path: str, _optimizer: bool) -> str:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0.01)
        running -= 1
        return "new"

    async def fetch(run_id: str) -> TrainingRun:
        kept = Checkpoint("weights/c", "training", f"tinker://{run_id}/weights/c", "t")
        return TrainingRun(run_id, "m", "me", True, "t", True, 8, kept)

    def mistaken(*_: Any) -> None:
        raise ValueError("in the callback")

    policy = RecoveryPolicy(enabled=True)
    executor = RecoveryExecutor(restore, policy, on_recovery=mistaken, max_concurrent=2)
    monitor = RunMonitor(fetch, executor.recover, policy)
    for name in "abcd":
        monitor.watch(name)
    await monitor.check()
    assert most == 2
    assert monitor.watched == frozenset()


def test_help_shows_what_a_method_takes_and_gives() -> None:
    signature = inspect.signature(ServiceClient.create_lora_training_client)
    assert "seed" in signature.parameters
    assert str(signature.return_annotation) == "TrainingClient"
    bound = ServiceClient(config(), http=ScriptedServer(SESSION))
    assert "self" not in inspect.signature(bound.create_sampling_client).parameters
    bound.close()


@pytest.mark.parametrize(
    "wrong",
    [
        {"timeout": 0},
        {"timeout": -1},
        {"timeout": "soon"},
        {"max_retries": -1},
        {"max_retries": 1.5},
        {"base_url": "localhost:8000"},
        {"pool_size": 0},
    ],
)
def test_settings_that_can_only_fail_later_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match=next(iter(wrong))):
        config(**wrong)
