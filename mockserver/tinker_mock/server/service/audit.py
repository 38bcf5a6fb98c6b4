"""The audit log: what was done, by whom, when."""

from datetime import UTC, datetime
from typing import Any

from tinker_mock.server.service.backend import Backend
from tinker_mock.server.service.roles import organization
from tinker_mock.server.service.times import wire_time
from tinker_mock.server.state.records import AuditEntry, Tenant

GROUPS = {
    "checkpoints": ("checkpoint_",),
    "projects": ("project_",),
    "teams": ("team_",),
    "organizations": ("organization_", "apikey_"),
}
"""Event type of a query -> prefixes of event names; `all` means everything.

Events are named `<resource>_<action>` (SDK `types/audit_log_entry.py`). `checkpoint_read` is the
service's own name, the others follow its form.
"""
NONE: dict[str, Any] = {}
"""The details of most lines."""


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
    entry = AuditEntry(now, tenant_id, event, model_id, path, purpose, details or NONE)
    backend.state.audit[backend.ids.serial("audit")] = entry


def entries(
    backend: Backend, tenant: Tenant, event_type: str, day: str | None
) -> list[dict[str, Any]]:
    """The organization's lines of one kind and, if given, one UTC day; oldest first."""
    prefixes = GROUPS.get(event_type)
    users = organization(backend.state, tenant)
    found = []
    for entry in sorted(backend.state.audit.values(), key=lambda entry: entry.at):
        if entry.tenant_id not in users:
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
    told = {k: v for k, v in fields.items() if v is not None}
    # Model, path and purpose outside the details are for clients older than the details.
    about = {k: v for k, v in told.items() if k not in ("timestamp", "event")}
    return {**told, "event_details": {"user_id": entry.tenant_id, **about, **entry.details}}
