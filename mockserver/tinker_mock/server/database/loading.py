"""A state from the rows of a database."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Protocol

import orjson

from tinker_mock.server.database.rows import KINDS, enter_lanes, record_of
from tinker_mock.server.database.sqlite import Database
from tinker_mock.server.database.values import decode
from tinker_mock.server.state.store import State

Pairs = Iterable[tuple[str, Any]]


class Rows(Protocol):
    """Where rows come from: pairs of id and content."""

    def records(self, table: str) -> Pairs:
        """A table's rows, in the order in which they were first written."""

    def counters(self) -> Pairs:
        """Counters as they are."""

    def requests(self) -> Pairs:
        """Requests of promises, encoded."""

    def outcomes(self) -> Pairs:
        """Outcomes of promises, encoded."""


class AllRows:
    """Everything that is in a data directory."""

    def __init__(self, database: Database) -> None:
        self.database = database

    def records(self, table: str) -> Pairs:
        """A table's rows."""
        return self.database.rows(f"SELECT id, row FROM {table} ORDER BY place")

    def counters(self) -> Pairs:
        """All counters."""
        return self.database.rows("SELECT id, value FROM counters")

    def requests(self) -> Pairs:
        """All requests."""
        return self.database.rows("SELECT id, value FROM requests")

    def outcomes(self) -> Pairs:
        """All outcomes."""
        return self.database.rows("SELECT id, value FROM outcomes")


def load_state(rows: Rows, files: Any) -> State:
    """Every record, with requests that wait and outcomes that can be read; models asleep."""
    state = State()
    tables = state.tables()
    for name in KINDS:
        table = tables[name]
        for key, row in rows.records(name):
            table[key] = record_of(name, orjson.loads(row), files)
    for key, value in rows.counters():
        state.counters[key] = value
    for key, value in rows.requests():
        promise = state.promises.get(key)
        if promise is not None and promise.open:
            promise.payload = decode(value)[1]
    for key, value in rows.outcomes():
        promise = state.promises.get(key)
        if promise is not None:
            promise.outcome = decode(value)
    for promise in state.promises.values():
        promise.__dict__["_kept"] = promise.outcome
        run = state.runs.get(promise.model_id)
        if run is not None:
            run.last_request_time = max(run.last_request_time, promise.submitted_at)
    for lane in state.lanes.values():
        lane.__dict__["_kept"] = True
    enter_lanes(state.promises, state.lanes)
    return state
