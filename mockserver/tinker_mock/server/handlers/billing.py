"""Audit log and usage over HTTP."""

from typing import Any

from tinker_mock.server.errors import BadRequest
from tinker_mock.server.service import audit, usage
from tinker_mock.server.service.backend import Backend
from tinker_mock.server.service.times import parse_time
from tinker_mock.server.wire.exchange import Exchange


def get_audit_log(backend: Backend, exchange: Exchange) -> dict[str, Any]:
    """What the caller did, of one kind and day."""
    kind, day = exchange.query.get("event_type", "all"), exchange.query.get("day")
    return {"entries": audit.entries(backend, exchange.owner, kind, day)}


def get_billing_usage(backend: Backend, exchange: Exchange) -> dict[str, Any]:
    """Usage in hourly buckets of a window."""
    start = parse_time(exchange.query["starting_on"], "/starting_on")
    end = parse_time(exchange.query["ending_before"], "/ending_before")
    if end <= start:
        raise BadRequest(
            "ending_before: must be later than starting_on",
            pointer="/ending_before",
            rule="ending_before > starting_on",
            fix="swap the two, or ask for a longer window",
        )
    show_free = exchange.dialect.understands("storage_free")
    return usage.usage(backend, exchange.owner, start, end, show_free=show_free)


def get_checkpoint_storage_usage(backend: Backend, exchange: Exchange) -> dict[str, Any]:
    """Checkpoint storage in use now."""
    project = exchange.query.get("project_id")
    return usage.storage_now(backend, exchange.owner, project)
