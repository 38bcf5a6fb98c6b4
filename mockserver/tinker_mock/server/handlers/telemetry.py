"""Telemetry of clients: accepted, counted, not kept."""

from typing import Any

from tinker_mock.server.service.backend import Backend
from tinker_mock.server.state.records import TelemetrySummary
from tinker_mock.server.wire.exchange import Exchange


def send_telemetry(backend: Backend, exchange: Exchange) -> dict[str, Any]:
    """Count a batch's events by kind. Contents may hold credentials and are dropped."""
    summary = backend.state.telemetry.setdefault(exchange.body["session_id"], TelemetrySummary())
    summary.batches += 1
    for event in exchange.body["events"]:
        kind = event.get("event_name") or event["event"]
        summary.events[kind] = summary.events.get(kind, 0) + 1
    summary.touch()
    return {"status": "accepted"}
