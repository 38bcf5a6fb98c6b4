"""Recovery for the training clients of one service client."""

from collections.abc import Callable
from typing import Any

from ..service import AsyncServiceClient
from ..training.client import AsyncTrainingClient
from .executor import RecoveryExecutor
from .monitor import RunMonitor
from .policy import RecoveryPolicy


def recover_runs(
    service: AsyncServiceClient,
    policy: RecoveryPolicy | None = None,
    *,
    on_recovery: Callable[[Any, AsyncTrainingClient, str], None] | None = None,
    on_failure: Callable[[str, BaseException], None] | None = None,
) -> RunMonitor:
    """A monitor whose corrupted runs are restored from their last checkpoint.

    Without a `policy`, the config's `recovery` options make one. `watch(client.model_id, client)`
    each training client; `on_recovery(old, new, path)` is where a program swaps them.
    """
    connection = service.connection
    policy = policy or RecoveryPolicy.from_options(service.config.recovery)

    async def restore(path: str, optimizer: bool) -> AsyncTrainingClient:
        return await service.create_training_client_from_state(path, optimizer=optimizer)

    executor = RecoveryExecutor(
        restore,
        policy,
        on_recovery=on_recovery,
        on_failure=on_failure,
        clock=connection.clock,
        events=connection.events,
    )
    fetch = service.create_rest_client().get_training_run
    monitor = RunMonitor(
        fetch, executor.recover, policy, clock=connection.clock, events=connection.events
    )
    connection.on_close.append(monitor.stop)
    return monitor
