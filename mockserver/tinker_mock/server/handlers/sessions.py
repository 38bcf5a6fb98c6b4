"""Sessions over HTTP."""

from typing import Any

from tinker_mock.server.service import housekeeping, search, sessions, traces
from tinker_mock.server.service.audit import record
from tinker_mock.server.service.backend import Backend
from tinker_mock.server.wire.exchange import Exchange


def create_session(backend: Backend, exchange: Exchange) -> dict[str, Any]:
    """Open a session."""
    housekeeping.admit_session(backend)
    session = sessions.create_session(backend, exchange.owner, exchange.body)
    return {"session_id": session.id, "type": "create_session"}


def session_heartbeat(backend: Backend, exchange: Exchange) -> dict[str, Any]:
    """Keep a session alive."""
    sessions.heartbeat(backend, exchange.owner, exchange.body["session_id"])
    return {"type": "session_heartbeat"}


def finish_session(backend: Backend, exchange: Exchange) -> dict[str, Any]:
    """End a session with a reason."""
    sessions.finish(
        backend,
        exchange.owner,
        exchange.path_params["session_id"],
        exchange.body["reason"],
        exchange.body.get("detail"),
    )
    return {}


def list_sessions(backend: Backend, exchange: Exchange) -> dict[str, Any]:
    """Ids of the caller's sessions, newest first."""
    offset, limit = exchange.query["offset"], exchange.query["limit"]
    found = sessions.owned_sessions(backend, exchange.owner)
    return {"sessions": [session.id for session in found[offset : offset + limit]]}


def get_session(backend: Backend, exchange: Exchange) -> dict[str, Any]:
    """A session's training runs and samplers."""
    session = _named(backend, exchange)
    return {
        "training_run_ids": session.run_ids,
        "sampler_ids": session.sampler_ids,
        "user_metadata": {k: str(v) for k, v in session.user_metadata.items()} or None,
        "display_name": session.display_name,
    }


def set_session_project(backend: Backend, exchange: Exchange) -> dict[str, Any]:
    """Move a session, and what belongs to it, into a project."""
    session = _named(backend, exchange)
    session.project_id = exchange.body["project_id"] or exchange.owner.default_project_id
    for checkpoint in backend.state.checkpoints.values():
        if checkpoint.session_id == session.id:
            checkpoint.project_id = session.project_id
    details = {"session_id": session.id, "project_id": session.project_id}
    record(backend, exchange.owner, "project_session_set", details=details)
    return {}


def export_session_trace(backend: Backend, exchange: Exchange) -> dict[str, Any]:
    """Start or poll the export of a session's trace."""
    return traces.export(backend, _named(backend, exchange), exchange.base_url)


def search_sessions(backend: Backend, exchange: Exchange) -> dict[str, Any]:
    """Search sessions, newest first."""
    return search.search(backend, exchange.owner, exchange.body)


def _named(backend: Backend, exchange: Exchange) -> Any:
    session_id = exchange.path_params["session_id"]
    return sessions.get_session(backend, exchange.owner, session_id)
