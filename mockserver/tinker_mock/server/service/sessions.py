"""SDK sessions: opened, kept alive, finished, listed."""

from typing import Any

from tinker_mock.server.errors import Conflict, Forbidden, Gone, NotFound
from tinker_mock.server.service.audit import record
from tinker_mock.server.service.backend import Backend
from tinker_mock.server.state.records import Session, Tenant


def create_session(backend: Backend, tenant: Tenant, body: dict[str, Any]) -> Session:
    """Open a session; its id follows from the seed, the tenant and how many it had before."""
    now = backend.clock.now()
    number = backend.ids.count("session", tenant.id) - 1
    session = Session(
        id=backend.ids.derive("session", tenant.id, number),
        tenant_id=tenant.id,
        number=number,
        created_at=now,
        last_heartbeat=now,
        project_id=body.get("project_id") or tenant.default_project_id,
        sdk_version=body["sdk_version"],
        tags=list(body["tags"]),
        user_metadata=dict(body.get("user_metadata") or {}),
        display_name=body.get("display_name"),
    )
    backend.state.sessions[session.id] = session
    backend.store.opened(session.id)
    tenant.sdk_version = session.sdk_version
    record(backend, tenant, "session_create", details={"session_id": session.id})
    return session


def get_session(
    backend: Backend, tenant: Tenant, session_id: str, pointer: str = "/session_id"
) -> Session:
    """The tenant's session; raises NotFound."""
    session = backend.state.sessions.get(session_id)
    if session is None or session.tenant_id != tenant.id:
        raise NotFound(
            f"session_id: no session {session_id!r} for this API key",
            pointer=pointer,
            rule="the id comes from create_session, with the same key",
            fix="create a session first",
            requirement="errors/unknown-session/status",
        )
    _expire(backend, session)
    return session


def _named_session(backend: Backend, tenant: Tenant, session_id: str) -> Session:
    """The session that a body names; raises Forbidden in the service's words."""
    try:
        return get_session(backend, tenant, session_id)
    except NotFound as missing:
        raise Forbidden(
            "Invalid session_id",
            pointer=missing.pointer,
            rule=missing.rule,
            requirement=missing.requirement,
            details={"fix": missing.fix},
        ) from None


def active_session(backend: Backend, tenant: Tenant, session_id: str) -> Session:
    """The tenant's session, still open; raises Forbidden, Gone or Conflict."""
    session = _named_session(backend, tenant, session_id)
    if session.status["type"] == "cancelled":
        raise _over(session)
    if session.ended_at is not None:
        raise Conflict(
            f"session_id: session {session_id!r} is finished",
            pointer="/session_id",
            rule="a finished session takes no further operations",
            fix="create a new session",
            requirement="sessions/finish/no-more-models",
        )
    return session


def heartbeat(backend: Backend, tenant: Tenant, session_id: str) -> None:
    """The client is still there; raises Forbidden, or Gone once the session is over."""
    session = _named_session(backend, tenant, session_id)
    if session.ended_at is not None:
        raise _over(session)
    session.last_heartbeat = backend.clock.now()


def note_poll(backend: Backend, session_id: str) -> None:
    """A client that polls is there, though its heartbeats keep another time than a clock that
    jumps."""
    session = backend.state.sessions.get(session_id)
    if session is not None:
        session.last_heartbeat = max(session.last_heartbeat, backend.clock.now())


def finish(
    backend: Backend,
    tenant: Tenant,
    session_id: str,
    reason: dict[str, Any],
    detail: str | None,
) -> None:
    """End a session; the first reason given stays."""
    session = get_session(backend, tenant, session_id)
    if session.ended_at is not None:
        return
    status: dict[str, Any] = {"type": "client_finished", "reason": {"type": reason["type"]}}
    if detail is not None:
        status["detail"] = detail
    session.status, session.ended_at = status, backend.clock.now()


def owned_sessions(backend: Backend, tenant: Tenant) -> list[Session]:
    """The tenant's sessions, newest first."""
    found = [s for s in backend.state.sessions.values() if s.tenant_id == tenant.id]
    for session in found:
        _expire(backend, session)
    return sorted(found, key=lambda s: (s.created_at, s.number), reverse=True)


def all_here(backend: Backend) -> None:
    """A server that was away has heard nobody: clients get their time anew."""
    for session in backend.state.sessions.values():
        if session.ended_at is None:
            session.last_heartbeat = backend.clock.now()


def expire_silent(backend: Backend) -> None:
    """Cancel every session whose client has been silent for too long."""
    for session in backend.state.sessions.values():
        _expire(backend, session)


def _expire(backend: Backend, session: Session) -> None:
    """Cancel a session whose client has been silent for too long, as far as its owner knows."""
    if not backend.store.owns(session.id):
        return
    silent_until = session.last_heartbeat + backend.limits.session_timeout
    if session.ended_at is None and backend.clock.now() > silent_until:
        session.ended_at = silent_until
        session.status = {"type": "cancelled", "detail": "no heartbeat"}


def _over(session: Session) -> Gone:
    return Gone(
        f"session_id: session {session.id!r} is over ({session.status['type']})",
        pointer="/session_id",
        rule="a session lives while heartbeats arrive and until it is finished",
        fix="create a new session",
        requirement="sessions/finish/heartbeat-gone",
    )
