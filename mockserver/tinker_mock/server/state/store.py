"""The whole state of a server, and where it is."""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, fields
from typing import Any, Protocol

from tinker_mock.server.state.promise import Lane, Promise
from tinker_mock.server.state.records import (
    AuditEntry,
    Checkpoint,
    SamplingSession,
    Session,
    StoragePeriod,
    TelemetrySummary,
    Tenant,
    TrainingRun,
    Upload,
    UsageEvent,
)
from tinker_mock.server.state.tables import Table


class Counters(Counter[str]):
    """Counters that note which of them have changed, where somebody keeps account."""

    account: set[str] | None = None

    def __setitem__(self, key: str, value: int) -> None:
        super().__setitem__(key, value)
        if self.account is not None:
            self.account.add(key)

    def take(self, others: Counters) -> None:
        """Go on with numbers that are kept."""
        for key, value in others.items():
            super().__setitem__(key, value)

    def forget(self, key: str) -> None:
        """Begin at 1 again."""
        del self[key]
        if self.account is not None:
            self.account.add(key)


@dataclass
class State:
    """Every record, by its id."""

    tenants: Table[Tenant] = field(default_factory=Table)
    sessions: Table[Session] = field(default_factory=Table)
    runs: Table[TrainingRun] = field(default_factory=Table)
    checkpoints: Table[Checkpoint] = field(default_factory=Table)
    samplers: Table[SamplingSession] = field(default_factory=Table)
    uploads: Table[Upload] = field(default_factory=Table)
    promises: Table[Promise] = field(default_factory=Table)
    lanes: Table[Lane] = field(default_factory=Table)
    usage: Table[UsageEvent] = field(default_factory=Table)
    """By minute, session, model and kind."""
    storage: Table[StoragePeriod] = field(default_factory=Table)
    """By number, in order."""
    audit: Table[AuditEntry] = field(default_factory=Table)
    """By number, in order."""
    telemetry: Table[TelemetrySummary] = field(default_factory=Table)
    """By session."""
    prompt_blocks: dict[bytes, int] = field(default_factory=dict)
    """Digests of what prompts began with, oldest first; see `service/prompt_cache.py`."""
    counters: Counters = field(default_factory=lambda: Counters())
    """The id source's counters."""

    def clone(self, shared: list[Any]) -> State:
        """A deep copy; the `shared` objects (base models) are kept, not copied."""
        return copy.deepcopy(self, {id(thing): thing for thing in shared})

    def tables(self) -> dict[str, Table[Any]]:
        """Every table by its name."""
        found = ((each.name, getattr(self, each.name)) for each in fields(self))
        return {name: table for name, table in found if isinstance(table, Table)}


class Keeper(Protocol):
    """Keeps what a state holds beyond the process, as one commit for all changes so far."""

    def attach(self, state: State) -> None:
        """This is the state to keep from now on."""

    def expect(self, size: int) -> None:
        """So many bytes of a request may be among the next changes."""

    def knows(self, promise: Promise) -> bool:
        """That this was asked for is kept."""

    def comes_again(self, promise: Promise) -> bool:
        """Its result would be the same after a crash, kept or not: what it takes is kept."""

    def keep_now(self) -> bool:
        """As `kept`, if it takes no time; False when it has to be waited for."""

    def keep_new(self, promise: Promise) -> bool:
        """As `keep_now`, for an answer that tells of nothing but this promise's acceptance."""

    async def kept(self) -> None:
        """Return once everything that has changed so far is kept. Raises StorageFull."""

    async def kept_in_time(self) -> None:
        """As `kept`, but wait while it is only a matter of time. Raises StorageFull."""

    def close(self) -> None:
        """Keep what is left, and let go."""

    def fact(self, name: str) -> Any:
        """Something about the whole server, None when it was never told."""

    def tell(self, name: str, value: Any) -> None:
        """Keep something about the whole server."""

    def copies(self) -> dict[str, float]:
        """Names of the copies of the state, and the Unix time of each."""

    async def copy(self, name: str) -> None:
        """Keep a copy of the state as it is."""

    async def become(self, name: str) -> State:
        """The state of a copy, which is the one to keep from now on."""

    async def forget(self, name: str) -> None:
        """Remove a copy."""

    async def request(self, request_id: str) -> tuple[str, dict[str, Any]]:
        """Operation and body of a request that has to be done again."""

    @property
    def failure(self) -> Exception | None:
        """Why nothing can be kept at the moment."""


class Store:
    """Where the state is. Whoever needs it reads `current`: a restore replaces that, once."""

    def __init__(self, keeper: Keeper | None = None) -> None:
        self.keeper = keeper
        self.current = State()
        self.server = ""
        """Which of several servers this is; nothing for one on its own."""
        self.owns: Callable[[str], bool] = lambda session_id: True
        """Whether what is of a session ("": of none) is this server's to change."""
        self.opened: Callable[[str], None] = lambda session_id: None
        """Called when a session was opened here."""

    def replace(self, state: State) -> None:
        """Another state, from now on."""
        self.current = state
        if self.keeper is not None:
            self.keeper.attach(state)
