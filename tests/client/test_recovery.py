"""A run that the server lost goes on from its last checkpoint, as if nothing had happened."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest
import yaml

from tests.client.conftest import config
from tinker_mock.client import (
    AdamParams,
    ApiStatusError,
    AsyncServiceClient,
    AsyncTrainingClient,
    Datum,
    ManualClock,
    ModelInput,
    TinkerError,
)
from tinker_mock.client.clock import ScaledClock
from tinker_mock.client.recovery import RecoveryExecutor, RecoveryPolicy, RunMonitor, recover_runs
from tinker_mock.client.types.records import TrainingRun
from tinker_mock.suite.mock_process import mock_server

pytestmark = pytest.mark.anyio
BASE = "Qwen/Qwen3-8B"
TOKENS = list(range(100, 110))
RUN = TrainingRun("run", BASE, "me", True, "2025-01-01T00:00:00Z", corrupted=True)


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    with mock_server(["--seed", "3"]) as url:
        yield url


async def step(training: AsyncTrainingClient) -> float:
    weights = [1.0] * (len(TOKENS) - 1)
    inputs = ModelInput.from_ints(TOKENS[:-1])
    datum = Datum.of(inputs, target_tokens=TOKENS[1:], weights=weights)
    loss = training.forward_backward([datum], "cross_entropy")
    update = training.optim_step(AdamParams(learning_rate=1e-3))
    value = float((await loss).metrics["loss:sum"])
    await update
    return value


def kill(url: str, service: AsyncServiceClient, run_id: str) -> None:
    """From now on the server calls the run corrupted and takes no work for it."""
    answer = httpx.get(
        f"{url}/api/v1/training_runs/{run_id}",
        headers={"x-api-key": service.config.api_key},
        timeout=60,
    )
    lost = {**answer.raise_for_status().json(), "corrupted": True}
    rules = [
        {
            "name": "lost",
            "match": {"operation": "get_training_run"},
            "effects": {"return": 200, "body": lost},
            "times": 1,
        },
        {
            "name": "no work",
            "match": {"operation": "forward_backward"},
            "effects": {"return": 404, "body": {"detail": "the model is gone"}},
            "times": 1,
        },
    ]
    scenario = yaml.safe_dump({"name": "killed", "rules": rules})
    httpx.put(f"{url}/_mock/scenario", json={"yaml": scenario}, timeout=60).raise_for_status()


async def test_training_goes_on_bit_for_bit_after_the_server_lost_the_run(server: str) -> None:
    settings = config(
        "python-latest", base_url=server, telemetry_enabled=False, recovery={"enabled": True}
    )
    async with AsyncServiceClient(settings, clock=ScaledClock(100.0)) as service:
        undisturbed = await service.create_lora_training_client(BASE, 8, seed=1)
        expected = [await step(undisturbed) for _ in range(4)]

        training = await service.create_lora_training_client(BASE, 8, seed=1)
        losses = [await step(training) for _ in range(2)]
        await training.save_state("before")
        kill(server, service, training.model_id)
        with pytest.raises(ApiStatusError, match="the model is gone"):
            await step(training)

        current: dict[str, Any] = {}
        monitor = recover_runs(
            service,
            on_recovery=lambda old, new, path: current.update(old=old, new=new, path=path),
        )
        monitor.watch(training.model_id, training)
        await monitor.check()
        assert current["old"] is training
        assert current["path"].endswith("/weights/before")
        losses += [await step(current["new"]) for _ in range(2)]
    assert losses == pytest.approx(expected, rel=1e-6)
    assert monitor.watched == frozenset()


async def restored(path: str, optimizer: bool) -> tuple[str, bool]:
    return path, optimizer


async def test_a_run_without_a_checkpoint_cannot_be_recovered_and_the_callback_says_so() -> None:
    failed: list[Any] = []
    clock = ManualClock(autojump=True)
    executor = RecoveryExecutor(
        restored,
        RecoveryPolicy(enabled=True, max_attempts=3),
        on_failure=lambda run_id, error: failed.append((run_id, str(error))),
        clock=clock,
    )
    with pytest.raises(TinkerError, match="missing checkpoint"):
        await executor.recover(RUN)
    assert clock.sleeps == [5.0, 10.0]
    assert failed[0][0] == "run"


async def test_a_named_checkpoint_and_its_weights_alone_can_be_asked_for() -> None:
    policy = RecoveryPolicy(
        enabled=True,
        checkpoint_strategy=("specific", "tinker://r/weights/x"),
        restore_optimizer=False,
    )
    found = await RecoveryExecutor(restored, policy).recover(RUN)
    assert found.client == ("tinker://r/weights/x", False)


async def test_the_monitor_looks_again_after_a_failed_look() -> None:
    clock, looks = ManualClock(), []

    async def fetch(run_id: str) -> TrainingRun:
        looks.append(run_id)
        if len(looks) == 1:
            raise ApiStatusError("busy", status=503)
        return RUN

    recovered: list[str] = []

    async def recover(run: TrainingRun, _client: Any) -> None:
        recovered.append(run.training_run_id)

    monitor = RunMonitor(fetch, recover, RecoveryPolicy(enabled=True), clock=clock)
    monitor.watch("run")
    monitor.start()
    await clock.advance(29.0)
    assert looks == []
    await clock.advance(100.0)
    await monitor.stop()
    assert (len(looks), recovered) == (2, ["run"])


def test_settings_that_make_no_sense_fall_back() -> None:
    loose = {"enabled": "yes", "max_attempts": 0, "backoff": -1, "poll_interval": 5, "x": 1}
    policy = RecoveryPolicy.from_options(loose)
    assert policy == RecoveryPolicy(poll_interval=5)
    best = RecoveryPolicy.from_options({"checkpoint_strategy": "best"})
    with pytest.raises(TinkerError, match="checkpoint strategy not supported"):
        best.checkpoint_for(RUN)
