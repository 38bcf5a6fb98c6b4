"""A session's timeline as a Chrome trace event file, which Perfetto's viewer opens.

Counters have the service's groups (tinker-docs, "Session Metrics"): concurrency, throughput, per
request, latency, totals.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import orjson

from tinker_mock.server.promises.tokens import written_tokens
from tinker_mock.server.service import links
from tinker_mock.server.service.backend import Backend
from tinker_mock.server.state.promise import Promise
from tinker_mock.server.state.records import Session

MICROSECONDS = 1e6
LINK_LIFETIME = 3600.0
PERCENTILES = (50, 90, 99)
Event = dict[str, Any]


def export(backend: Backend, session: Session, base_url: str) -> dict[str, Any]:
    """Start an export or ask for it: `pending` at the first call, then `ready` with a link."""
    if session.trace_ready_at is None:
        session.trace_ready_at = backend.clock.now()
        return {"status": "pending"}
    url, _ = links.sign(backend, base_url, f"trace~{session.id}", LINK_LIFETIME)
    return {"status": "ready", "url": url}


def content(backend: Backend, session: Session) -> bytes:
    """The trace: one row per lane, one slice per operation, queueing as its own slice, counters."""
    promises = [p for p in backend.state.promises.values() if p.session_id == session.id]
    rows: dict[str, int] = {}
    for promise in promises:
        rows.setdefault(promise.lane_id, len(rows) + 1)
    names: list[Event] = [
        {"name": "thread_name", "ph": "M", "pid": 1, "tid": row, "args": {"name": lane}}
        for lane, row in rows.items()
    ]
    now = backend.clock.now()
    slices = [s for p in promises for s in _slices(p, rows[p.lane_id], now)]
    events = [*names, *slices, *_counters(promises)]
    return orjson.dumps({"traceEvents": events, "displayTimeUnit": "ms"})


def _slices(promise: Promise, row: int, now: float) -> Iterator[Event]:
    started = promise.started_at or promise.submitted_at
    parts = [("queued", promise.submitted_at, started)]
    if promise.started_at is not None:
        parts.append((promise.operation, promise.started_at, promise.finished_at or now))
    for name, start, end in parts:
        arguments = {"request_id": promise.request_id, "state": promise.state}
        yield {
            "name": name,
            "ph": "X",
            "ts": start * MICROSECONDS,
            "dur": (end - start) * MICROSECONDS,
            "pid": 1,
            "tid": row,
            "args": arguments,
        }


def _counters(promises: Sequence[Promise]) -> Iterator[Event]:
    begun = [(p.submitted_at, 1, p) for p in promises]
    ended = [(p.finished_at, -1, p) for p in promises if p.finished_at is not None]
    flying = {"training": 0, "sampling": 0}
    totals, latencies = dict(flying), []
    for at, change, promise in sorted([*begun, *ended], key=lambda each: each[:2]):
        kind = "sampling" if promise.operation == "asample" else "training"
        flying[kind] += change
        yield _counter(at, "Concurrency: requests in flight", flying)
        if change > 0:
            continue
        tokens = tokens_of(promise)
        seconds = at - promise.submitted_at
        totals[kind] += tokens
        latencies.append(seconds)
        yield _counter(at, "Totals: tokens", totals)
        yield _counter(at, "Per request: tokens", {kind: tokens})
        yield _counter(at, "Latency: seconds", _percentiles(latencies))
        if seconds > 0:
            yield _counter(at, "Throughput: tokens per second", {kind: tokens / seconds})


def tokens_of(promise: Promise) -> int:
    """Tokens that a finished pass scored or a finished sample wrote."""
    result = promise.outcome.result if promise.outcome else None
    outputs = getattr(result, "outputs", None)
    if outputs is None:
        return written_tokens(result)
    return sum(len(output["logprobs"]) for output in outputs)


def _percentiles(values: Sequence[float]) -> dict[str, float]:
    ordered = sorted(values)
    return {f"p{p}": ordered[min(len(ordered) - 1, len(ordered) * p // 100)] for p in PERCENTILES}


def _counter(at: float, name: str, values: dict[str, Any]) -> Event:
    return {"name": name, "ph": "C", "ts": at * MICROSECONDS, "pid": 1, "args": dict(values)}
