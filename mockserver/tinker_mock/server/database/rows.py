"""Records as rows, and a state from the rows of a database.

A row is a record's fields as JSON, so that a release with more of them reads older rows. Apart
from it are kept: the request and the outcome of a promise (written once, and large), and weights
(in files; the row has their names). What follows from other rows is not kept: see `Lane`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import MISSING, asdict, fields
from operator import attrgetter
from typing import Any

from tinker_mock.server.database.weight_files import Filed
from tinker_mock.server.lazy_module import IMPORTING
from tinker_mock.server.state.promise import DONE, Lane, Promise
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
from tinker_mock.server.state.tables import Record

KINDS: dict[str, type[Record]] = {
    "tenants": Tenant,
    "sessions": Session,
    "runs": TrainingRun,
    "checkpoints": Checkpoint,
    "samplers": SamplingSession,
    "uploads": Upload,
    "promises": Promise,
    "lanes": Lane,
    "usage": UsageEvent,
    "storage": StoragePeriod,
    "audit": AuditEntry,
    "telemetry": TelemetrySummary,
}
"""Table -> what is in it, in the order of a state's own fields."""
FILED: dict[type[Record], tuple[str, ...]] = {
    Checkpoint: ("arrays", "weights"),
    SamplingSession: ("weights",),
    TrainingRun: ("kept",),
    Upload: ("files",),
}
"""Fields whose value is in a file."""
APART: dict[type[Record], tuple[str, ...]] = {
    Promise: ("payload", "outcome"),
    Lane: ("slots", "arrivals", "submitted", "completions"),
    TrainingRun: ("trainer",),
}
"""Fields that are kept elsewhere, or follow from other rows."""
KEPT: dict[type[Record], tuple[str, ...]] = {
    kind: tuple(
        each.name
        for each in fields(kind)  # type: ignore[arg-type]
        if each.name not in APART.get(kind, ())
    )
    for kind in KINDS.values()
}
"""The fields of a row."""
VALUES = {kind: attrgetter(*names) for kind, names in KEPT.items()}
"""What a record has in them."""


def row_of(record: Record, file: Callable[[Record, str, Any], Any]) -> dict[str, Any]:
    """A record's fields as they are, no copies; `file` gives what stands for a filed one."""
    kind = type(record)
    row = dict(zip(KEPT[kind], VALUES[kind](record), strict=True))
    for name in FILED.get(kind, ()):
        value = row[name]
        row[name] = file(record, name, value) if value else None
        if name == "weights" and value:
            row["shape"] = asdict(value.shape)
    if isinstance(record, Lane):
        row["skipped"] = record.skipped()
    return row


def record_of(table: str, row: Mapping[str, Any], files: Any) -> Record:
    """The record of a row; what a row of another release does not say has its default."""
    kind = KINDS[table]
    told: dict[str, Any] = {}
    for each in fields(kind):  # type: ignore[arg-type]
        if each.name not in row or each.name in APART.get(kind, ()):
            continue
        value = row[each.name]
        if each.name in FILED.get(kind, ()):
            value = _unfiled(each, value, row.get("shape"), files)
        told[each.name] = value
    if kind is Promise:
        told["payload"] = DONE
    record = kind(**told)
    record.__dict__["_filed"] = {
        name: (getattr(record, name), row[name])
        for name in FILED.get(kind, ())
        if row.get(name) is not None
    }
    if isinstance(record, Lane):
        record.slots.update(dict.fromkeys(row.get("skipped", ())))
    return record


def _unfiled(each: Any, name: str | None, shape: Any, files: Any) -> Any:
    if name is None:
        return each.default_factory() if each.default_factory is not MISSING else None
    filed: Any = Filed(files, name)
    if each.name != "weights":
        return filed
    with IMPORTING:
        from tinker_mock.server.engine import Weights
        from tinker_mock.server.engine.model.adapter import AdapterShape

    return Weights(AdapterShape(**shape), filed)


def enter_lanes(promises: Mapping[str, Promise], lanes: Mapping[str, Lane]) -> None:
    """What is accepted, waiting and completed in each lane, from the promises."""
    for lane in lanes.values():
        running = promises.get(lane.current or "")
        if running is None or not running.open:
            lane.current = None
    for promise in promises.values():
        lane = lanes[promise.lane_id]
        request_id, seq_id = promise.request_id, promise.seq_id
        if seq_id is not None:
            lane.submitted[seq_id] = request_id
            if lane.ordered:
                lane.highest = max(lane.highest, seq_id)
        waits = lane.ordered and promise.open and request_id != lane.current
        if waits and seq_id:
            lane.slots[seq_id] = request_id
        elif waits:
            lane.arrivals[request_id] = promise.behind
    ended = [promise for promise in promises.values() if promise.number]
    for promise in sorted(ended, key=lambda promise: promise.number):
        lanes[promise.lane_id].completions[promise.number] = promise.request_id
