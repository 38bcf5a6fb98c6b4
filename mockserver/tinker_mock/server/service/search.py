"""Session search: filters, status queries, and a cursor that survives new sessions."""

from typing import Any

from tinker_mock.server.service import checkpoints, sessions
from tinker_mock.server.service.backend import Backend
from tinker_mock.server.service.times import parse_time, wire_time
from tinker_mock.server.state.records import Session, Tenant


def search(backend: Backend, tenant: Tenant, body: dict[str, Any]) -> dict[str, Any]:
    """One page of the sessions that fit every filter, newest first."""
    limit = body.get("limit", 50)
    found = [s for s in _candidates(backend, tenant, body) if _fits(s, body)]
    found.sort(key=lambda s: (_as_told(s), s.id), reverse=True)
    if body.get("cursor"):
        after = body["cursor"]
        last = (parse_time(after["last_created_at"], "/cursor"), after["last_session_id"])
        found = [s for s in found if (_as_told(s), s.id) < last]
    page = found[:limit]
    answer: dict[str, Any] = {"sessions": [_summary(backend, s) for s in page]}
    if len(found) > limit:
        answer["next_cursor"] = {
            "last_created_at": wire_time(page[-1].created_at),
            "last_session_id": page[-1].id,
        }
    return answer


def _as_told(session: Session) -> float:
    """Its creation as the wire tells it: a cursor comes back with that precision."""
    return parse_time(wire_time(session.created_at), "/cursor")


def urn(tenant: Tenant) -> str:
    """How a user is named in sessions and queries."""
    return f"tml:user:{tenant.id}"


def _candidates(backend: Backend, tenant: Tenant, body: dict[str, Any]) -> list[Session]:
    """Sessions of the asked owner; an organisation has one user, so others' are never visible."""
    owner = body.get("owner") or {"type": "own"}
    if owner["type"] == "user" and not {urn(tenant), tenant.id} & set(owner["owner_urns"]):
        return []
    return sessions.owned_sessions(backend, tenant)


def _fits(session: Session, body: dict[str, Any]) -> bool:
    metadata = {k: str(v) for k, v in session.user_metadata.items()}
    wanted = body.get("user_metadata") or {}
    name, projects = body.get("display_name"), body.get("project_ids")
    queries = body.get("statuses")
    return (
        (not body.get("session_id") or session.id == body["session_id"])
        and (not name or name.lower() in (session.display_name or "").lower())
        and (projects is None or session.project_id in projects)
        and all(metadata.get(key) == value for key, value in wanted.items())
        and (queries is None or any(_has_status(session, query) for query in queries))
    )


def _has_status(session: Session, query: dict[str, Any]) -> bool:
    if session.status["type"] != query["type"]:
        return False
    reasons = query.get("reasons")
    return not reasons or session.status.get("reason", {}).get("type") in reasons


def _summary(backend: Backend, session: Session) -> dict[str, Any]:
    owned = [c for c in checkpoints.living(backend) if c.session_id == session.id]
    tenant = backend.state.tenants[session.tenant_id]
    return {
        "session_id": session.id,
        "created_at": wire_time(session.created_at),
        "owner": urn(tenant),
        "project_id": session.project_id,
        "status": session.status,
        "checkpoints_count": len(owned),
        "checkpoint_storage_bytes": sum(c.size_bytes for c in owned),
        "display_name": session.display_name,
        "user_metadata": {k: str(v) for k, v in session.user_metadata.items()} or None,
    }
