"""What has changed in a state since the last commit."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import orjson

from tinker_mock.server.database.rows import FILED, KINDS, row_of
from tinker_mock.server.database.values import OPTIONS
from tinker_mock.server.database.weight_files import Filed
from tinker_mock.server.state.promise import REPLAYED, Lane, Promise
from tinker_mock.server.state.records import TrainingRun
from tinker_mock.server.state.store import State
from tinker_mock.server.state.tables import Account, Record

HEAVY, ROW = 1024 * 1024, 512
"""Bytes that files and rows are taken for."""
GROWING = {list, dict}
NOTHING = "nothing"
"""What is kept of a promise that is new, instead of its outcome."""
OWNERS = {table: FILED[kind] for table, kind in KINDS.items() if kind in FILED}
"""Tables whose records have files, and the fields that have."""


class Changes:
    """The account of one state. `told` is called at every change."""

    def __init__(self, told: Callable[[], None]) -> None:
        self._told = told
        self.tables: dict[str, Account] = {}
        self.counters = Account(told)
        self.facts: dict[str, bytes] = {}
        self.everything = False
        self.replays: dict[str, list[str]] = {}
        """Run -> the requests that its kept weights do not hold yet, as last gathered."""
        self.held: set[str] = set()
        """All of these requests."""

    def watch(self, state: State, *, everything: bool) -> None:
        """Account for this state from now on; for all of it when nothing of it is kept."""
        self.everything = everything
        self.replays, self.held = {}, set()
        self.begin_replays(state)
        for name, table in state.tables().items():
            account = self.tables[name] = Account(self._told)
            table.watch(account)
            if everything:
                account.update(table)
        self.counters = Account(self._told)
        state.counters.account = self.counters
        if everything:
            self.counters.update(state.counters)
            self._told()

    def begin_replays(self, state: State) -> None:
        """The kept weights of these runs do not hold what they replay."""
        self.replays.update({run.id: list(run.replay) for run in state.runs.values()})
        self.held.update(*(run.replay for run in state.runs.values()))

    def come_again(self, state: State, lane_id: str) -> bool:
        """What is not kept of a lane comes about again from what is: doing it again is all it
        takes."""
        if self.everything:
            return False
        known = (state.promises.get(key) for key in self.tables["promises"])
        return all(
            one.open or (one.operation in REPLAYED and one.state == "completed")
            for one in known
            if one is not None and one.lane_id == lane_id
        )

    def __bool__(self) -> bool:
        """Something that answers may tell of is not kept."""
        return bool(self.everything or self.facts or self.counters or any(self.tables.values()))

    def put_back(self, change: Change) -> None:
        """What could not be kept is to be kept still."""
        self.everything |= change.everything
        for name, keys in change.keys.items():
            self.tables[name].update(keys)
        self.counters.update(change.counters)
        self.facts = {**change.facts, **self.facts}
        for promise, kept in change.promises:
            if kept == NOTHING:
                promise.__dict__.pop("_kept", None)
            else:  # its request is there, and no longer here
                promise.__dict__["_kept"] = kept
        for lane in change.lanes:
            lane.__dict__.pop("_kept", None)
        for run_id, replay in change.replays.items():
            self.held.difference_update(self.replays.get(run_id, ()))
            self.held.update(replay)
            self.replays[run_id] = replay
        for filing in change.filings:
            filing.record.__dict__["_filed"].pop(filing.field, None)
        for record, _ in change.named:
            record.__dict__.pop("_named", None)


@dataclass
class Filing:
    """A value on its way to a file; `name` is the file's, once it is there."""

    record: Record
    field: str
    value: Any
    name: str = ""


class Row(NamedTuple):
    """One record of a change: no fields for what is gone, no body while it waits for its files."""

    table: str
    key: str
    fields: dict[str, Any] | None
    body: bytes | None

    @property
    def owner(self) -> str:
        """What it is called where its files are listed."""
        return f"{self.table} {self.key}"


@dataclass
class Change:
    """One commit: everything as it was in one instant."""

    everything: bool
    keys: dict[str, list[str]]
    rows: list[Row] = field(default_factory=list)
    filings: list[Filing] = field(default_factory=list)
    requests: list[tuple[str, Any]] = field(default_factory=list)
    outcomes: list[tuple[str, Any]] = field(default_factory=list)
    requests_done: set[str] = field(default_factory=set)
    outcomes_gone: set[str] = field(default_factory=set)
    counters: dict[str, int | None] = field(default_factory=dict)
    facts: dict[str, bytes] = field(default_factory=dict)
    promises: list[tuple[Promise, Any]] = field(default_factory=list)
    """Promises, and what of each was kept before."""
    lanes: list[Lane] = field(default_factory=list)
    replays: dict[str, list[str]] = field(default_factory=dict)
    """What runs replayed before."""
    named: list[tuple[Record, tuple[Any, ...]]] = field(default_factory=list)
    """Records, and what stands for their files, where the database says something else."""
    steady: set[str] = field(default_factory=set)
    """Owners whose files are those that the database has."""
    releases: int = 0
    """How many files may have lost their last owner."""

    def weight(self) -> int:
        """About how many bytes there are to write, beside requests."""
        results = (outcome.result for _, outcome in self.outcomes)
        files = len(self.filings) * HEAVY
        return files + len(self.rows) * ROW + sum(map(_size, results))

    def filed(self, record: Record, name: str, value: Any) -> Any:
        """What stands in a row for a value that is in a file."""
        if isinstance(value, Filed):
            return value.name
        known = record.__dict__.get("_filed", {}).get(name)
        if known is not None and known[0] is value:
            return known[1]
        filing = Filing(record, name, value.state() if name == "weights" else dict(value))
        self.filings.append(filing)
        self.releases += 1
        record.__dict__.setdefault("_filed", {})[name] = (value, filing)
        return filing


def gather(changes: Changes, state: State) -> Change:
    """Take what has changed. On the loop: nothing moves meanwhile."""
    change = Change(
        changes.everything, {name: list(keys) for name, keys in changes.tables.items() if keys}
    )
    for name, keys in change.keys.items():
        table, filed = getattr(state, name), OWNERS.get(name, ())
        for key in keys:
            record = table.get(key)
            if record is None:
                change.rows.append(Row(name, key, None, None))
                _gone(changes, change, name, key)
                continue
            row = row_of(record, change.filed)
            if filed:
                _files(change, f"{name} {key}", record, row)
            if any(isinstance(row[each], Filing) and not row[each].name for each in filed):
                change.rows.append(Row(name, key, _as_it_is(row), None))
            else:
                change.rows.append(Row(name, key, row, body_of(row)))
            if isinstance(record, Promise):
                _promise(changes, change, record)
            elif isinstance(record, Lane):
                change.lanes.append(record)
                record.__dict__["_kept"] = True
            elif isinstance(record, TrainingRun):
                _replay(changes, change, record.id, record.replay)
    change.counters = {key: state.counters.get(key) for key in changes.counters}
    change.facts = changes.facts
    changes.everything, changes.facts = False, {}
    for account in (*changes.tables.values(), changes.counters):
        account.clear()
    return change


def gather_new(changes: Changes, promise: Promise) -> Change:
    """Take a promise that is new, and leave what else has changed: so it was when an operation came
    that is not done yet, a moment before the rest."""
    change = Change(everything=False, keys={"promises": [promise.request_id]})
    row = row_of(promise, change.filed)
    change.rows.append(Row("promises", promise.request_id, row, body_of(row)))
    _promise(changes, change, promise)
    changes.tables["promises"].discard(promise.request_id)
    return change


def _files(change: Change, owner: str, record: Record, row: dict[str, Any]) -> None:
    """Whether the database has to be told which files are this record's."""
    names = tuple(row.get(name) for name in FILED[type(record)])
    if record.__dict__.get("_named") == names and not change.everything:
        change.steady.add(owner)
    else:
        change.named.append((record, names))


def _as_it_is(row: dict[str, Any]) -> dict[str, Any]:
    """A row that may have grown before it is written."""
    return {name: one.copy() if type(one) in GROWING else one for name, one in row.items()}


def body_of(row: dict[str, Any]) -> bytes:
    """The bytes of a row, whose files have their names."""
    return orjson.dumps(row, default=_in_row, option=OPTIONS)


def _size(result: Any) -> int:
    """About how many bytes a result has."""
    outputs = getattr(result, "outputs", ())
    sequences = getattr(result, "sequences", ())
    size: int = sum(output["logprobs"].nbytes for output in outputs)
    size += sum(one.tokens.nbytes + one.logprobs.nbytes for one in sequences)
    return size


def was_gathered(record: Promise | Lane) -> bool:
    """It was part of a commit that has not failed."""
    return "_kept" in record.__dict__


def _promise(changes: Changes, change: Change, promise: Promise) -> None:
    """Its request once, its outcome once; the request goes when nobody can need it again."""
    kept = promise.__dict__.get("_kept", NOTHING)
    change.promises.append((promise, kept))
    if kept == NOTHING:
        change.requests.append((promise.request_id, [promise.operation, promise.payload]))
    if promise.outcome is None:
        if kept is not None and not promise.open:  # else there was none
            change.outcomes_gone.add(promise.request_id)
    elif kept is not promise.outcome:
        change.outcomes.append((promise.request_id, promise.outcome))
    promise.__dict__["_kept"] = promise.outcome
    if not promise.open and promise.request_id not in changes.held:
        change.requests_done.add(promise.request_id)


def _replay(changes: Changes, change: Change, run_id: str, replay: Sequence[str]) -> None:
    """What the kept weights hold by now need not be done again."""
    before = changes.replays.get(run_id, [])
    change.replays[run_id] = before
    done = set(before).difference(replay)
    changes.held -= done
    changes.held.update(replay)
    change.requests_done |= done
    change.requests_done.difference_update(replay)
    changes.replays[run_id] = list(replay)


def _gone(changes: Changes, change: Change, table: str, key: str) -> None:
    if KINDS[table] in FILED:
        change.releases += 1
    if table == "runs":
        _replay(changes, change, key, ())
        del changes.replays[key]
    if table == "promises":
        change.outcomes_gone.add(key)
        if key not in changes.held:
            change.requests_done.add(key)


def _in_row(thing: Any) -> Any:
    if isinstance(thing, Filing):
        return thing.name
    if hasattr(thing, "tolist"):
        return thing.tolist()
    raise TypeError(f"{type(thing).__name__} cannot be in a row")


def name_of(told: Any) -> str:
    """What a row has for a file."""
    return told.name if isinstance(told, Filing) else str(told)
