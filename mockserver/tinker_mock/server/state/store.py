"""The whole state of a server, in memory."""

from __future__ import annotations

import copy
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

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


@dataclass
class State:
    """Every record, by its id."""

    tenants: dict[str, Tenant] = field(default_factory=dict)
    sessions: dict[str, Session] = field(default_factory=dict)
    runs: dict[str, TrainingRun] = field(default_factory=dict)
    checkpoints: dict[str, Checkpoint] = field(default_factory=dict)
    samplers: dict[str, SamplingSession] = field(default_factory=dict)
    uploads: dict[str, Upload] = field(default_factory=dict)
    promises: dict[str, Promise] = field(default_factory=dict)
    lanes: dict[str, Lane] = field(default_factory=dict)
    usage: list[UsageEvent] = field(default_factory=list)
    storage: list[StoragePeriod] = field(default_factory=list)
    audit: list[AuditEntry] = field(default_factory=list)
    telemetry: dict[str, TelemetrySummary] = field(default_factory=dict)
    counters: Counter[str] = field(default_factory=Counter)
    """The id source's counters."""

    def clone(self, shared: list[Any]) -> State:
        """A deep copy; the `shared` objects (base models) are kept, not copied."""
        return copy.deepcopy(self, {id(thing): thing for thing in shared})


class Store:
    """Where the state is. Whoever needs it reads `current`: a restore replaces that, once."""

    def __init__(self) -> None:
        self.current = State()
