"""Recovery without a server: a run is lost, and restored from its last checkpoint."""

import asyncio

from tinker_mock.client import Checkpoint, ManualClock, RecoveryPolicy, TrainingRun
from tinker_mock.client.recovery import RecoveryExecutor, RunMonitor


async def main():
    saved = Checkpoint("weights/c", "training", "tinker://run/weights/c", "2026-01-01T00:00:00Z")
    lost = TrainingRun("run", "Qwen/Qwen3-8B", "me", True, "now", True, 8, saved)
    policy, clock = RecoveryPolicy(enabled=True), ManualClock(autojump=True)

    async def fetch(run_id):
        return lost

    async def restore(path, with_optimizer):
        return f"a client from {path}"

    told = []
    executor = RecoveryExecutor(
        restore, policy, clock=clock, on_recovery=lambda old, new, path: told.append(new)
    )
    monitor = RunMonitor(fetch, executor.recover, policy, clock=clock)
    monitor.watch("run")
    await monitor.check()
    return told


print(*asyncio.run(main()))
