"""Recovery: policy, monitor, executor."""

from contextlib import suppress
from typing import Any

from tinker_mock.client import ManualClock, TinkerError
from tinker_mock.client.recovery import RecoveryExecutor, RecoveryPolicy, RunMonitor
from tinker_mock.client.types.json import decode
from tinker_mock.client.types.records import TrainingRun
from tinker_mock.client.watch.events import EventHub
from tinker_mock.suite.vectors.client.stage import Component, run

_RUN = {
    "training_run_id": "run-exhausted",
    "base_model": "b",
    "model_owner": "o",
    "is_lora": True,
    "last_request_time": "2025-11-26T00:00:00Z",
    "last_checkpoint": {
        "checkpoint_id": "0001",
        "checkpoint_type": "training",
        "tinker_path": "tinker://run-1/weights/0001",
        "time": "2025-11-26T00:00:00Z",
    },
}


def recovery(given: Any, entry: Any) -> Any:
    name = entry["name"]
    if name == "policy defaults":
        return _policy(RecoveryPolicy.from_options(given))
    if name == "backoff by attempt":
        return round(RecoveryPolicy().delay(given) * 1000)
    if name == "disabled":
        return run(_disabled(given))
    if "failures" in given:
        return run(_exhausted(given))
    return run(_corrupted(given))


def _policy(policy: RecoveryPolicy) -> Any:
    return {
        "enabled": policy.enabled,
        "max_attempts": policy.max_attempts,
        "backoff_ms": round(policy.backoff * 1000),
        "max_backoff_ms": round(policy.max_backoff * 1000),
        "poll_interval_ms": round(policy.poll_interval * 1000),
        "checkpoint_strategy": policy.checkpoint_strategy,
        "restore_optimizer": policy.restore_optimizer,
    }


def _training_run(**more: Any) -> TrainingRun:
    checkpoint = {**_RUN["last_checkpoint"], **more.pop("last_checkpoint", {})}  # type: ignore[dict-item]
    return decode(TrainingRun, {**_RUN, **more, "last_checkpoint": checkpoint})


async def _restored(path: str, _optimizer: bool) -> str:
    return f"client from {path}"


async def _disabled(given: Any) -> Any:
    executor = RecoveryExecutor(_restored, RecoveryPolicy.from_options(given))
    try:
        await executor.recover(_training_run())
    except TinkerError as error:
        return {"error": error.data["reason"]}
    return {"error": None}


async def _exhausted(given: Any) -> Any:
    failed: list[Any] = []
    names: list[str] = []
    events = EventHub()
    events.subscribe("recovery.", lambda one: names.append(one.name.removeprefix("recovery.")))

    async def restore(_path: str, _optimizer: bool) -> str:
        raise TinkerError("not_ready")

    policy = RecoveryPolicy(
        enabled=True, max_attempts=given["max_attempts"], backoff=given["backoff_ms"] / 1000
    )
    executor = RecoveryExecutor(
        restore,
        policy,
        on_failure=lambda run_id, error: failed.extend([run_id, error.args[0]]),
        clock=ManualClock(autojump=True),
        events=events,
    )
    with suppress(TinkerError):
        await executor.recover(_training_run())
    assert names.count("failed") == given["max_attempts"]
    seen = [name for name in dict.fromkeys(names) if name in ("failed", "exhausted")]
    return {"events": seen, "on_failure": failed}


async def _corrupted(given: Any) -> Any:
    found = _training_run(**given["run"])
    names: list[str] = []
    events = EventHub()
    events.subscribe("recovery.", lambda one: names.append(one.name.removeprefix("recovery.")))
    restored: list[str] = []

    async def fetch(_run_id: str) -> TrainingRun:
        return found

    policy = RecoveryPolicy(enabled=True)
    executor = RecoveryExecutor(
        _restored,
        policy,
        on_recovery=lambda _old, _new, path: restored.append(path),
        events=events,
    )
    monitor = RunMonitor(fetch, executor.recover, policy, clock=ManualClock(), events=events)
    monitor.watch(found.training_run_id)
    await monitor.check()
    wanted = ("detected", "started", "client_created")
    return {
        "events": [name for name in names if name in wanted],
        "restored_from": restored[0],
        "unmonitored": found.training_run_id not in monitor.watched,
    }


COMPONENTS: dict[str, Component] = {"Recovery": recovery}
