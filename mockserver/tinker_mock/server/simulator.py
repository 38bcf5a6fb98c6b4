"""One running simulation: its state and everything that acts on it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar

from tinker_mock.contracts import Contract, load_contract
from tinker_mock.server.catalog import Catalog
from tinker_mock.server.clock import Clock, clock_from
from tinker_mock.server.errors import ConfigurationError
from tinker_mock.server.http.stages import Faults, Journal, Mutants, NoFaults, NoJournal, NoMutants
from tinker_mock.server.ids import IdSource
from tinker_mock.server.promises import CompletionPolicy, Immediate, Limits, Promise, PromiseBook
from tinker_mock.server.service.authentication import Authenticator
from tinker_mock.server.settings import Settings
from tinker_mock.server.state.store import State

if TYPE_CHECKING:
    from tinker_mock.server.engine import BaseModel
    from tinker_mock.server.service.batches import SliceBatcher
    from tinker_mock.server.text.placeholder_tokenizer import PlaceholderTokenizer

log = logging.getLogger(__name__)
T = TypeVar("T")


@dataclass(frozen=True)
class Snapshot:
    """A frozen copy of a simulation's state and the time it was taken (Unix seconds)."""

    state: State
    taken_at: float


class Simulator:
    """Holds the parts together. Handlers and services reach everything through it."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.contract: Contract = load_contract("tinker")
        self.inference: Contract = load_contract("inference")
        self.state = State()
        self.clock: Clock = _clock(settings.clock)
        self.ids = IdSource(settings.seed, self.state.counters)
        self.catalog = Catalog.load(settings.models)
        self.journal: Journal = NoJournal()
        self.faults: Faults = NoFaults()
        self.mutants: Mutants = _mutants(settings.break_check)
        self.bases: dict[str, BaseModel] = {}
        self.placeholders: dict[str, PlaceholderTokenizer] = {}
        self.parked: set[asyncio.Future[Any]] = set()
        self.client_config = dict(settings.client_config)
        self.dynamic_config = dict(settings.dynamic_config)
        self.authenticator = Authenticator(self.state, self.ids, self.clock, settings.jwt_lifetime)
        self.promises = PromiseBook(
            self.state.promises,
            self.state.lanes,
            self.clock,
            Immediate(),
            self._perform,
            Limits(settings.result_retention, settings.gap_timeout),
        )
        self._pool = ThreadPoolExecutor(settings.workers, thread_name_prefix="engine")

    @property
    def policy(self) -> CompletionPolicy:
        """When work may run; a scenario may change it at any time."""
        return self.promises.policy

    @policy.setter
    def policy(self, policy: CompletionPolicy) -> None:
        self.promises.policy = policy

    async def _perform(self, promise: Promise) -> Any:
        from tinker_mock.server.service.operations import perform

        return await perform(self, promise)

    async def compute(self, function: Callable[..., T], *arguments: Any) -> T:
        """Run engine work in a worker thread; a manual clock does not jump meanwhile."""
        loop = asyncio.get_running_loop()
        with self.clock.busy():
            return await loop.run_in_executor(self._pool, function, *arguments)

    @cached_property
    def slices(self) -> SliceBatcher:
        """Concurrent answers of the text endpoints, sampled together."""
        from tinker_mock.server.service.batches import SliceBatcher

        return SliceBatcher(self.compute)

    def base(self, name: str) -> BaseModel:
        """The engine's base model of that name, made once. Raises BadRequest."""
        from tinker_mock.server.service.bases import engine_base

        model = self.catalog.get(name)
        if model.name not in self.bases:
            self.bases[model.name] = engine_base(model)
        return self.bases[model.name]

    async def snapshot(self) -> Snapshot:
        """A copy of the whole state, taken while no work runs."""
        await self.promises.pause()
        try:
            return Snapshot(self.state.clone(list(self.bases.values())), self.clock.now())
        finally:
            self.promises.resume()

    async def restore(self, snapshot: Snapshot) -> None:
        """Go back to a snapshot; waiting clients are woken and find what it says."""
        await self.promises.pause()
        self.state = snapshot.state.clone(list(self.bases.values()))
        self.ids.counters = self.state.counters
        self.authenticator.state = self.state
        self.promises.reload(self.state.promises, self.state.lanes)
        self.promises.resume()

    def reset(self) -> None:
        """Forget everything, as after a fresh start."""
        self.state = State()
        self.ids.counters = self.state.counters
        self.authenticator.state = self.state
        self.promises.reload(self.state.promises, self.state.lanes)

    def wake_parked(self) -> None:
        """End every parked request: the server is going down."""
        for task in list(self.parked):
            task.cancel()

    def close(self) -> None:
        """Stop all work."""
        self.wake_parked()
        self.promises.stop()
        self._pool.shutdown(wait=False, cancel_futures=True)


def _clock(spec: str) -> Clock:
    try:
        return clock_from(spec)
    except ValueError as error:
        raise ConfigurationError(str(error)) from error


def _mutants(check: str | None) -> Mutants:
    """The stage that breaks one rule; its table is only loaded when there is one to break."""
    if check is None:
        return NoMutants()
    from tinker_mock.server.mutants import ActiveMutants, MutantError

    try:
        return ActiveMutants(check)
    except MutantError as error:
        raise ConfigurationError(str(error)) from error
