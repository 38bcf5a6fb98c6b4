"""A session's timeline as a Perfetto (Chrome trace event) file."""

from typing import Any

import orjson

from tinker_mock.server.service import links
from tinker_mock.server.service.backend import Backend
from tinker_mock.server.state.records import Session

MICROSECONDS = 1e6


def export(backend: Backend, session: Session, base_url: str) -> dict[str, Any]:
    """Start an export or ask for it: `pending` at the first call, then `ready` with a link."""
    if session.trace_ready_at is None:
        session.trace_ready_at = backend.clock.now()
        return {"status": "pending"}
    url, _ = links.sign(backend, base_url, f"trace~{session.id}")
    return {"status": "ready", "url": url}


def content(backend: Backend, session: Session) -> bytes:
    """The trace: one row per lane, one slice per operation, queueing shown as its own slice."""
    events: list[dict[str, Any]] = []
    rows: dict[str, int] = {}
    promises = [p for p in backend.state.promises.values() if p.session_id == session.id]
    for promise in promises:
        row = rows.setdefault(promise.lane_id, len(rows) + 1)
        started = promise.started_at or promise.submitted_at
        slices = [("queued", promise.submitted_at, started)]
        if promise.started_at is not None:
            ended = promise.finished_at or backend.clock.now()
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
