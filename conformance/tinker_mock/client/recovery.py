"""Going on after the server lost a run: a new training client from its last checkpoint.

`recover_runs` watches the training clients of a service client. Its monitor asks the server whether
a run is corrupted, its executor restores it, its policy says whether, how often and from where.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, Literal, TypeVar

from tinker_mock.client.clock import Clock, RealClock
from tinker_mock.client.errors import Category, TinkerError, invalid
from tinker_mock.client.service import AsyncServiceClient
from tinker_mock.client.training.client import AsyncTrainingClient
from tinker_mock.client.types.records import TrainingRun
from tinker_mock.client.watch.events import EventHub

logger = logging.getLogger(__name__)

C = TypeVar("C")

Restore = Callable[[str, bool], Awaitable[C]]
"""(path, with optimizer) -> a new training client."""

Fetch = Callable[[str], Awaitable[TrainingRun]]
Recover = Callable[[TrainingRun, Any], Awaitable[Any]]


@dataclass(frozen=True, slots=True)
class RecoveryPolicy:
    """Off by default. Times are seconds.

    `checkpoint_strategy` is "latest" or ("specific", path).
    """

    enabled: bool = False
    max_attempts: int = 3
    backoff: float = 5.0
    max_backoff: float = 60.0
    poll_interval: float = 30.0
    checkpoint_strategy: Literal["latest"] | tuple[str, str] = "latest"
    restore_optimizer: bool = True

    def __post_init__(self) -> None:
        for name in self.__dataclass_fields__:
            if not _sensible(name, getattr(self, name)):
                raise invalid(f"RecoveryPolicy: {name} makes no sense: {getattr(self, name)!r}")

    @classmethod
    def from_options(cls, options: Mapping[str, Any] | None) -> "RecoveryPolicy":
        """From loose settings; what makes no sense falls back to its default."""
        default = cls()
        values = {}
        for name in cls.__dataclass_fields__:
            value = (options or {}).get(name, getattr(default, name))
            values[name] = value if _sensible(name, value) else getattr(default, name)
        return cls(**values)

    def delay(self, attempt: int) -> float:
        """Seconds before attempt n (1 = the first)."""
        return min(self.backoff * 2.0 ** (attempt - 1), self.max_backoff)

    def checkpoint_for(self, run: TrainingRun) -> str:
        """The path to restore from. Raises `RecoveryError`."""
        if isinstance(self.checkpoint_strategy, tuple):
            return self.checkpoint_strategy[1]
        if self.checkpoint_strategy != "latest":
            raise failed("checkpoint_strategy_not_supported")
        if run.last_checkpoint is None:
            raise failed("missing_checkpoint")
        return run.last_checkpoint.tinker_path


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
        """Look at every watched run once; a failed look is tried again next time.

        Returns when all runs found corrupted are restored, as many at a time as the executor lets.
        """
        lost: list[tuple[TrainingRun, Any]] = []
        for run_id in tuple(self._clients):
            try:
                run = await self._fetch(run_id)
            except TinkerError as error:
                self._events.emit("recovery.poll_error", run_id=run_id, error=error)
                continue
            if run.corrupted:
                self._events.emit("recovery.detected", run_id=run_id)
                lost.append((run, self._clients.pop(run_id)))
        await asyncio.gather(*(self._hand_over(*one) for one in lost))

    async def _hand_over(self, run: TrainingRun, client: Any) -> None:
        try:
            await self._recover(run, client)
        except TinkerError as error:
            self._events.emit("recovery.given_up", run_id=run.training_run_id, error=error)


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
        self._tell(self._on_recovery, old_client, client, path)
        self._events.emit("recovery.completed", run_id=run_id, path=path)
        return Recovered(run_id, client, path)

    def _exhausted(self, run_id: str, error: BaseException) -> None:
        self._events.emit("recovery.exhausted", run_id=run_id, error=error)
        self._tell(self._on_failure, run_id, error)

    def _tell(self, callback: Callable[..., None] | None, *arguments: Any) -> None:
        """A callback that raises must not undo a recovery, nor end the watch over other runs."""
        if callback is None:
            return
        try:
            callback(*arguments)
        except Exception as error:
            self._events.emit("recovery.callback_failed", error=error)
            logger.exception("a recovery callback failed")


def recover_runs(
    service: AsyncServiceClient,
    policy: RecoveryPolicy | None = None,
    *,
    on_recovery: Callable[[Any, AsyncTrainingClient, str], None] | None = None,
    on_failure: Callable[[str, BaseException], None] | None = None,
    max_concurrent: int = 1,
) -> RunMonitor:
    """A monitor whose corrupted runs are restored from their last checkpoint.

    Without a `policy`, the config's `recovery` options make one. `watch(client.model_id, client)`
    each training client; `on_recovery(old, new, path)` is where a program swaps them; an error
    there is logged. At most `max_concurrent` runs are restored at a time.
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
        max_concurrent=max_concurrent,
    )
    fetch = service.create_rest_client().get_training_run
    monitor = RunMonitor(
        fetch, executor.recover, policy, clock=connection.clock, events=connection.events
    )
    connection.on_close.append(monitor.stop)
    return monitor


class RecoveryError(TinkerError):
    """Recovery is not possible; `data["reason"]` says why in one word."""


def failed(reason: str) -> RecoveryError:
    """A recovery error with a one-word reason."""
    return RecoveryError(
        f"recovery is not possible: {reason.replace('_', ' ')}",
        category=Category.USER,
        data={"reason": reason},
    )


def _sensible(name: str, value: Any) -> bool:
    if name in ("enabled", "restore_optimizer"):
        return isinstance(value, bool)
    if name == "checkpoint_strategy":
        specific = isinstance(value, tuple) and len(value) == 2 and value[0] == "specific"
        return value in ("latest", "best") or specific
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return number and value > 0
