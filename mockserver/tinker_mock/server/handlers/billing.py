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
    _check_window(start, end, backend.clock.now())
    show_free = exchange.dialect.understands("storage_free")
    return usage.usage(backend, exchange.owner, start, end, show_free=show_free)


def _check_window(start: float, end: float, now: float) -> None:
    """Raise BadRequest unless a window of usage has the bounds that the service takes."""
    for name, at in (("starting_on", start), ("ending_before", end)):
        if at % usage.HOUR:
            raise _bad_window(name, "must be a full hour in UTC", "send 2026-07-13T14:00:00Z")
    if end <= start:
        wrong = "must be later than starting_on"
        raise _bad_window("ending_before", wrong, "swap the two, or ask for a longer window")
    if end - start > usage.LONGEST_WINDOW:
        wrong = "must be at most 14 days after starting_on"
        raise _bad_window("ending_before", wrong, "ask for several windows")
    if start > now:
        raise _bad_window("starting_on", "must not be in the future", "ask for a past hour")


def _bad_window(name: str, rule: str, fix: str) -> BadRequest:
    return BadRequest(f"{name}: {rule}", pointer=f"/{name}", rule=rule, fix=fix)


def get_checkpoint_storage_usage(backend: Backend, exchange: Exchange) -> dict[str, Any]:
    """Checkpoint storage in use now."""
    project = exchange.query.get("project_id")
    return usage.storage_now(backend, exchange.owner, project)
