"""Usage, counted from what was really done, and the reports of it with their prices."""

from collections import defaultdict
from collections.abc import Container
from typing import Any, Literal

from tinker_mock.server.catalog.prices import MONTH_HOURS, storage_rate, token_rate
from tinker_mock.server.service.backend import Backend
from tinker_mock.server.service.checkpoints import living
from tinker_mock.server.service.roles import organization
from tinker_mock.server.service.search import urn
from tinker_mock.server.service.times import wire_time
from tinker_mock.server.state.records import Session, Tenant, UsageEvent

MINUTE, HOUR = 60.0, 3600.0
DAY = 24 * HOUR
LONGEST_WINDOW = 14 * DAY
GIGABYTE = 1e9

Bucket = tuple[float, str, str, str, str, str, bool]
"""Hour, user, session, project, base model, kind, cached."""
Kind = Literal["training", "sampling_prefill", "sampling_sample", "checkpoint"]


def bill(
    backend: Backend,
    session_id: str,
    base_model: str,
    kind: Kind,
    quantity: int,
    cached: bool = False,
) -> None:
    """Count something billable for a session's owner."""
    session, now = backend.state.sessions[session_id], backend.clock.now()
    minute = int(now // MINUTE)
    key = f"{minute} {session.id} {session.project_id} {base_model} {kind} {cached}"
    event = UsageEvent(
        at=now,
        tenant_id=session.tenant_id,
        session_id=session.id,
        project_id=session.project_id,
        base_model=base_model,
        kind=kind,
        quantity=0,
        cached=cached,
    )
    backend.state.usage.setdefault(key, event).quantity += quantity


def usage(
    backend: Backend, tenant: Tenant, start: float, end: float, *, show_free: bool
) -> dict[str, Any]:
    """The organization's usage of a window in hourly buckets per session, model and kind, with
    costs where prices are known.

    `show_free`: storage says whether it was free, which older clients do not expect.
    """
    sums: dict[Bucket, int] = defaultdict(int)
    users = organization(backend.state, tenant)
    for event in backend.state.usage.values():
        if event.tenant_id in users and start <= event.at < end:
            sums[_bucket(event)] += event.quantity
    data = [_event(backend, bucket, sums[bucket]) for bucket in sorted(sums)]
    data += _storage(backend, users, start, min(end, backend.clock.now()), show_free)
    named = {event["session_id"] for event in data}
    return {
        "data": data,
        "sessions": {
            session.id: {"user_metadata": _metadata(session)}
            for session in backend.state.sessions.values()
            if session.id in named
        },
        "cost_data_through": _priced_through(backend, users),
    }


def storage_now(backend: Backend, tenant: Tenant, project_id: str | None) -> dict[str, Any]:
    """Checkpoint storage in use by the organization, per project and user."""
    sizes: dict[tuple[str, str], list[int]] = defaultdict(list)
    users, rate = organization(backend.state, tenant), storage_rate()
    for checkpoint in living(backend):
        if checkpoint.tenant_id in users and project_id in (None, checkpoint.project_id):
            sizes[checkpoint.project_id, checkpoint.tenant_id].append(checkpoint.size_bytes)
    data = [
        {
            "project_id": project,
            "org_user_urn": urn(users[user]),
            "user_email": users[user].email,
            "user_name": users[user].name,
            "checkpoint_count": len(sizes[project, user]),
            "size_bytes": sum(sizes[project, user]),
            "size_gigabytes": sum(sizes[project, user]) / GIGABYTE,
            "estimated_monthly_cost_usd": sum(sizes[project, user]) / GIGABYTE * rate,
        }
        for project, user in sorted(sizes)
    ]
    return {"data": data, "effective_rate_usd_per_gigabyte_month": rate}


def _priced_through(backend: Backend, users: dict[str, Tenant]) -> str | None:
    """The start of the day: days before it have an invoice's prices, if anything was used."""
    today = backend.clock.now() // DAY * DAY
    used = any(
        event.tenant_id in users and event.at < today for event in backend.state.usage.values()
    )
    return wire_time(today) if used else None


def _bucket(event: UsageEvent) -> Bucket:
    hour, whose = event.at // HOUR * HOUR, (event.tenant_id, event.session_id, event.project_id)
    return (hour, *whose, event.base_model, event.kind, event.cached)


def _event(backend: Backend, bucket: Bucket, quantity: int) -> dict[str, Any]:
    hour, user, session_id, project_id, base_model, kind, cached = bucket
    info: dict[str, Any] = {"type": kind}
    if kind == "sampling_prefill":
        info["cached"] = cached
    info["count" if kind == "checkpoint" else "token_count"] = quantity
    event = _frame(backend.state.tenants[user], session_id, project_id, hour, base_model)
    event["event_info"] = info
    rate = token_rate(base_model, kind, cached)
    if rate is not None:
        event["effective_rate_usd_per_million_tokens"] = rate
        event["estimated_cost_usd"] = quantity / 1e6 * rate
    return event


def _storage(
    backend: Backend, users: Container[str], start: float, end: float, show_free: bool
) -> list[dict[str, Any]]:
    """Gigabyte-hours of every checkpoint in every hour of the window it was kept."""
    hours: dict[tuple[float, str, str, str, str], float] = defaultdict(float)
    for period in backend.state.storage.values():
        if period.tenant_id not in users:
            continue
        since, until = max(period.since, start), min(period.until or end, end)
        while since < until:
            hour = since // HOUR * HOUR
            upto = min(until, hour + HOUR)
            owner = (period.tenant_id, period.session_id, period.project_id)
            key = (hour, *owner, period.base_model)
            hours[key] += period.size_bytes / GIGABYTE * (upto - since) / HOUR
            since = upto
    found = []
    for (hour, user, session_id, project, base_model), amount in sorted(hours.items()):
        event = _frame(backend.state.tenants[user], session_id, project, hour, base_model)
        event["event_info"] = {"type": "storage", "gigabyte_hours": amount}
        if show_free:
            event["event_info"]["free"] = False
        event["effective_rate_usd_per_gigabyte_month"] = storage_rate()
        event["estimated_cost_usd"] = amount / MONTH_HOURS * storage_rate()
        found.append(event)
    return found


def _frame(
    tenant: Tenant, session_id: str, project_id: str, hour: float, base_model: str
) -> dict[str, Any]:
    return {
        "bucket_start": wire_time(hour),
        "bucket_end": wire_time(hour + HOUR),
        "base_model": base_model,
        "user_id": tenant.id,
        "user_name": tenant.name,
        "session_id": session_id or None,
        "project_id": project_id,
    }


def _metadata(session: Session) -> dict[str, str] | None:
    return {key: str(value) for key, value in session.user_metadata.items()} or None
