"""A session's timeline as a Perfetto (Chrome trace event) file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson

from tinker_mock.server.service import links
from tinker_mock.server.state.records import Session

if TYPE_CHECKING:
    from tinker_mock.server.simulator import Simulator

MICROSECONDS = 1e6


def export(simulator: Simulator, session: Session, base_url: str) -> dict[str, Any]:
    """Start an export or ask for it: `pending` at the first call, then `ready` with a link."""
    if session.trace_ready_at is None:
        session.trace_ready_at = simulator.clock.now()
        return {"status": "pending"}
    url, _ = links.sign(simulator, base_url, f"trace~{session.id}")
    return {"status": "ready", "url": url}


def content(simulator: Simulator, session: Session) -> bytes:
    """The trace: one row per lane, one slice per operation, queueing shown as its own slice."""
    events: list[dict[str, Any]] = []
    rows: dict[str, int] = {}
    promises = [p for p in simulator.state.promises.values() if p.session_id == session.id]
    for promise in promises:
        row = rows.setdefault(promise.lane_id, len(rows) + 1)
        started = promise.started_at or promise.submitted_at
        slices = [("queued", promise.submitted_at, started)]
        if promise.started_at is not None:
            ended = promise.finished_at or simulator.clock.now()
            slices.append((promise.operation, promise.started_at, ended))
        for name, start, end in slices:
            arguments = {"request_id": promise.request_id, "state": promise.state}
            events.append(
                {
                    "name": name,
                    "ph": "X",
                    "ts": start * MICROSECONDS,
                    "dur": (end - start) * MICROSECONDS,
                    "pid": 1,
                    "tid": row,
                    "args": arguments,
                }
            )
    names = [
        {"name": "thread_name", "ph": "M", "pid": 1, "tid": row, "args": {"name": lane}}
        for lane, row in rows.items()
    ]
    return orjson.dumps({"traceEvents": [*names, *events], "displayTimeUnit": "ms"})
