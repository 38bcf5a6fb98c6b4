"""Doing it: a new training client from the last checkpoint, tried a few times."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from ..answers.catalog import TrainingRun
from ..clock import Clock, RealClock
from ..errors import TinkerError
from ..events import EventHub
from .policy import RecoveryPolicy, failed

C = TypeVar("C")
Restore = Callable[[str, bool], Awaitable[C]]
"""(path, with optimizer) -> a new training client."""


@dataclass(frozen=True, slots=True)
class Recovered(Generic[C]):
    """The new client and what it was restored from."""

    run_id: str
    client: C
    checkpoint: str


class RecoveryExecutor(Generic[C]):
    """Recovers runs one after the other (`max_concurrent` at a time), in the order they came."""

    def __init__(
        self,
        restore: Restore[C],
        policy: RecoveryPolicy,
        *,
        on_recovery: Callable[[Any, C, str], None] | None = None,
        on_failure: Callable[[str, BaseException], None] | None = None,
        clock: Clock | None = None,
        events: EventHub | None = None,
        max_concurrent: int = 1,
    ) -> None:
        self._restore = restore
        self.policy = policy
        self._on_recovery = on_recovery
        self._on_failure = on_failure
        self._clock = clock or RealClock()
        self._events = events or EventHub()
        self._slots = asyncio.Semaphore(max_concurrent)
        self._pending: set[str] = set()

    async def recover(self, run: TrainingRun, old_client: Any = None) -> Recovered[C]:
        """Restore a run. Raises `RecoveryError`, or the last error when attempts are used up."""
        run_id = run.training_run_id
        if not self.policy.enabled:
            raise failed("recovery_disabled")
        if run_id in self._pending:
            raise failed("already_pending")
        self._pending.add(run_id)
        try:
            async with self._slots:
                return await self._attempts(run, old_client)
        finally:
            self._pending.discard(run_id)

    async def _attempts(self, run: TrainingRun, old_client: Any) -> Recovered[C]:
        run_id = run.training_run_id
        for attempt in range(1, self.policy.max_attempts + 1):
            self._events.emit("recovery.started", run_id=run_id, attempt=attempt)
            try:
                return await self._attempt(run, old_client)
            except TinkerError as error:
                self._events.emit("recovery.failed", run_id=run_id, attempt=attempt, error=error)
                if attempt == self.policy.max_attempts:
                    self._exhausted(run_id, error)
                    raise
            await self._clock.sleep(self.policy.delay(attempt))
        raise AssertionError("unreachable: max_attempts is positive")

    async def _attempt(self, run: TrainingRun, old_client: Any) -> Recovered[C]:
        run_id = run.training_run_id
        path = self.policy.checkpoint_for(run)
        self._events.emit("recovery.checkpoint_selected", run_id=run_id, path=path)
        client = await self._restore(path, self.policy.restore_optimizer)
        self._events.emit("recovery.client_created", run_id=run_id, path=path)
        if self._on_recovery is not None:
            self._on_recovery(old_client, client, path)
        self._events.emit("recovery.completed", run_id=run_id, path=path)
        return Recovered(run_id, client, path)

    def _exhausted(self, run_id: str, error: BaseException) -> None:
        self._events.emit("recovery.exhausted", run_id=run_id, error=error)
        if self._on_failure is not None:
            self._on_failure(run_id, error)
