"""The audit log: what was done, by whom, when."""

from datetime import UTC, datetime
from typing import Any

from tinker_mock.server.service.backend import Backend
from tinker_mock.server.service.times import wire_time
from tinker_mock.server.state.records import AuditEntry, Tenant

GROUPS = {
    "checkpoints": ("checkpoint.",),
    "projects": ("project.",),
    "teams": ("team.",),
    "organizations": ("organization.", "apikey."),
}
"""Event type of a query -> prefixes of event names; `all` means everything."""


def record(
    backend: Backend,
    tenant: Tenant | str,
    event: str,
    model_id: str | None = None,
    path: str | None = None,
    purpose: str | None = None,
    details: dict[str, Any] | None = None,
) -> None:
    """Add one line."""
    tenant_id = tenant if isinstance(tenant, str) else tenant.id
    now = backend.clock.now()
    entry = AuditEntry(now, tenant_id, event, model_id, path, purpose, details or {})
    backend.state.audit[f"{backend.ids.count('audit'):012d}"] = entry


def entries(
    backend: Backend, tenant: Tenant, event_type: str, day: str | None
) -> list[dict[str, Any]]:
    """The tenant's lines of one kind and, if given, one UTC day; oldest first."""
    prefixes = GROUPS.get(event_type)
    found = []
    for entry in backend.state.audit.values():
        if entry.tenant_id != tenant.id:
            continue
        if prefixes is not None and not entry.event.startswith(prefixes):
            continue
        if day and datetime.fromtimestamp(entry.at, UTC).date().isoformat() != day:
            continue
        found.append(_described(entry))
    return found


def _described(entry: AuditEntry) -> dict[str, Any]:
    fields = {
        "timestamp": wire_time(entry.at),
        "event": entry.event,
        "model_id": entry.model_id,
        "tinker_path": entry.tinker_path,
        "purpose": entry.purpose,
    }
    return {**{k: v for k, v in fields.items() if v is not None}, "event_details": entry.details}
