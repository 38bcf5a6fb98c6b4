"""A state from the rows of a database."""

from __future__ import annotations

import orjson

from tinker_mock.server.database.rows import KINDS, enter_lanes, record_of
from tinker_mock.server.database.sqlite import Database
from tinker_mock.server.database.values import decode
from tinker_mock.server.database.weight_files import WeightFiles
from tinker_mock.server.state.store import State


def load_state(database: Database, files: WeightFiles) -> State:
    """Every record, with requests that wait and outcomes that can be read; models asleep."""
    state = State()
    tables = state.tables()
    for name in KINDS:
        table = tables[name]
        for key, row in database.rows(f"SELECT id, row FROM {name} ORDER BY place"):
            table[key] = record_of(name, orjson.loads(row), files)
    for key, value in database.rows("SELECT id, value FROM counters"):
        state.counters[key] = value
    for key, value in database.rows("SELECT id, value FROM requests"):
        promise = state.promises.get(key)
        if promise is not None and promise.open:
            promise.payload = decode(value)[1]
    for key, value in database.rows("SELECT id, value FROM outcomes"):
        promise = state.promises.get(key)
        if promise is not None:
            promise.outcome = decode(value)
    for promise in state.promises.values():
        promise.__dict__["_kept"] = promise.outcome
        run = state.runs.get(promise.model_id)
        if run is not None:
            run.last_request_time = max(run.last_request_time, promise.submitted_at)
    enter_lanes(state.promises, state.lanes)
    return state
