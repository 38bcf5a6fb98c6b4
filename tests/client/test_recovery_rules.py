"""Recovery: its settings, its schedule, and what is told about its course."""

from typing import Any

import pytest

from tinker_mock.client import EventHub, ManualClock, TinkerError, TrainingRun
from tinker_mock.client.recovery import RecoveryExecutor, RecoveryPolicy, RunMonitor
from tinker_mock.client.types.json import decode

RUN = decode(
    TrainingRun,
    {
        "training_run_id": "run-1",
        "base_model": "b",
        "model_owner": "o",
        "is_lora": True,
        "corrupted": True,
        "last_request_time": "2025-11-26T00:00:00Z",
        "last_checkpoint": {
            "checkpoint_id": "0001",
            "checkpoint_type": "training",
            "tinker_path": "tinker://run-1/weights/0001",
            "time": "2025-11-26T00:00:00Z",
        },
    },
)


async def restored(path: str, _optimizer: bool) -> str:
    return f"client from {path}"


def told() -> tuple[EventHub, list[str]]:
    events, names = EventHub(), []
    events.subscribe("recovery.", lambda one: names.append(one.name.removeprefix("recovery.")))
    return events, names


def test_defaults() -> None:
    assert RecoveryPolicy.from_options({}) == RecoveryPolicy(
        enabled=False,
        max_attempts=3,
        backoff=5.0,
        max_backoff=60.0,
        poll_interval=30.0,
        checkpoint_strategy="latest",
        restore_optimizer=True,
    )


@pytest.mark.parametrize(("attempt", "seconds"), [(1, 5), (2, 10), (3, 20), (6, 60), (10, 60)])
def test_waits_double_up_to_a_minute(attempt: int, seconds: float) -> None:
    assert RecoveryPolicy().delay(attempt) == seconds


@pytest.mark.anyio
async def test_switched_off_it_refuses() -> None:
    executor = RecoveryExecutor(restored, RecoveryPolicy.from_options({"enabled": False}))
    with pytest.raises(TinkerError) as caught:
        await executor.recover(RUN)
    assert caught.value.data["reason"] == "recovery_disabled"


@pytest.mark.anyio
async def test_after_the_last_attempt_it_gives_up_and_says_for_which_run(
    clock: ManualClock,
) -> None:
    async def not_ready(_path: str, _optimizer: bool) -> str:
        raise TinkerError("not_ready")

    failed: list[Any] = []
    events, names = told()
    executor = RecoveryExecutor(
        not_ready,
        RecoveryPolicy(enabled=True, max_attempts=2, backoff=0.001),
        on_failure=lambda run_id, error: failed.append((run_id, error.args[0])),
        clock=clock,
        events=events,
    )
    with pytest.raises(TinkerError):
        await executor.recover(RUN)
    assert [name for name in names if name in ("failed", "exhausted")] == [
        "failed",
        "failed",
        "exhausted",
    ]
    assert failed == [("run-1", "not_ready")]


@pytest.mark.anyio
async def test_a_corrupted_run_restarts_from_its_last_checkpoint_and_is_watched_no_more() -> None:
    async def fetch(_run_id: str) -> TrainingRun:
        return RUN

    paths: list[str] = []
    events, names = told()
    policy = RecoveryPolicy(enabled=True)
    executor = RecoveryExecutor(
        restored, policy, on_recovery=lambda _old, _new, path: paths.append(path), events=events
    )
    monitor = RunMonitor(fetch, executor.recover, policy, clock=ManualClock(), events=events)
    monitor.watch("run-1")
    await monitor.check()
    wanted = ["detected", "started", "client_created"]
    assert [name for name in names if name in wanted] == wanted
    assert paths == ["tinker://run-1/weights/0001"]
    assert monitor.watched == frozenset()
