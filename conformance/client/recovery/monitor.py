"""Watching runs for the server's word that they are corrupted."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from ..answers.catalog import TrainingRun
from ..clock import Clock, RealClock
from ..errors import TinkerError
from ..events import EventHub
from .policy import RecoveryPolicy

Fetch = Callable[[str], Awaitable[TrainingRun]]
Recover = Callable[[TrainingRun, Any], Awaitable[Any]]


class RunMonitor:
    """Polls runs; a corrupted one is handed to `recover` once and watched no more."""

    def __init__(
        self,
        fetch: Fetch,
        recover: Recover,
        policy: RecoveryPolicy,
        *,
        clock: Clock | None = None,
        events: EventHub | None = None,
    ) -> None:
        self._fetch = fetch
        self._recover = recover
        self._policy = policy
        self._clock = clock or RealClock()
        self._events = events or EventHub()
        self._clients: dict[str, Any] = {}
        self._task: asyncio.Task[None] | None = None

    @property
    def watched(self) -> frozenset[str]:
        return frozenset(self._clients)

    def watch(self, run_id: str, client: Any = None) -> None:
        """Watch a run; `client` is handed on as the old one."""
        self._clients[run_id] = client

    def unwatch(self, run_id: str) -> None:
        self._clients.pop(run_id, None)

    def start(self) -> None:
        """Check every `poll_interval` seconds until stopped."""
        self._task = asyncio.ensure_future(self._run())

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None

    async def _run(self) -> None:
        while True:
            await self._clock.sleep(self._policy.poll_interval)
            await self.check()

    async def check(self) -> None:
        """Look at every watched run once; a failed look is tried again next time."""
        for run_id in tuple(self._clients):
            try:
                run = await self._fetch(run_id)
            except TinkerError as error:
                self._events.emit("recovery.poll_error", run_id=run_id, error=error)
                continue
            if run.corrupted:
                client = self._clients.pop(run_id)
                self._events.emit("recovery.detected", run_id=run_id)
                await self._hand_over(run, client)

    async def _hand_over(self, run: TrainingRun, client: Any) -> None:
        try:
            await self._recover(run, client)
        except TinkerError as error:
            self._events.emit("recovery.given_up", run_id=run.training_run_id, error=error)
