"""State at a glance, sessions, models, snapshots, reset, health."""

from typing import Any

from tinker_mock.contracts import load_contract
from tinker_mock.server.control.clock import clock_state
from tinker_mock.server.control.mock_control import MockControl
from tinker_mock.server.errors import (
    ConfigurationError,
    NotFound,
    ServiceError,
    Unprocessable,
)
from tinker_mock.server.service.roles import Grant
from tinker_mock.server.wire.exchange import Answer, Exchange


class NotReady(ServiceError):
    """The server is going down."""

    status = 503
    kind = "not_ready"


async def index(control: MockControl, exchange: Exchange) -> dict[str, Any]:
    operations = load_contract("control").operations.values()
    return {"operations": {f"{op.method} {op.path}": op.summary for op in operations}}


async def healthz(control: MockControl, exchange: Exchange) -> dict[str, Any]:
    return {"status": "ok"}


async def readyz(control: MockControl, exchange: Exchange) -> dict[str, Any]:
    if control.closing:
        raise NotReady("the mock is shutting down", fix="ask the next instance")
    return {"status": "ready"}


async def get_state(control: MockControl, exchange: Exchange) -> dict[str, Any]:
    backend, state = control.backend, control.backend.state
    tables = ("tenants", "sessions", "runs", "checkpoints", "samplers", "promises", "lanes")
    return {
        "counts": {table: len(getattr(state, table)) for table in tables},
        "clock": clock_state(backend.clock),
        "scenario": control.scenario.name,
        "quirks": backend.quirks.names(),
        "seed": backend.settings.seed,
        "parked": len(control.parked),
    }


async def reset(control: MockControl, exchange: Exchange) -> None:
    control.reset()


async def list_sessions(control: MockControl, exchange: Exchange) -> dict[str, Any]:
    return {"sessions": [_session(s) for s in control.backend.state.sessions.values()]}


def _session(session: Any) -> dict[str, Any]:
    return {
        "session_id": session.id,
        "tenant": session.tenant_id,
        "sdk_version": session.sdk_version,
        "status": session.status,
        "created_at": session.created_at,
        "last_heartbeat": session.last_heartbeat,
        "models": list(session.run_ids),
        "samplers": list(session.sampler_ids),
    }


async def put_key(control: MockControl, exchange: Exchange) -> dict[str, Any]:
    body = exchange.body
    grant = Grant(body["key"], body["role"], body.get("organization_of"))
    try:
        tenant = control.backend.authenticator.give(grant)
    except ConfigurationError as error:
        raise Unprocessable(
            str(error), pointer="/key", rule="an API key starts with tml-"
        ) from None
    return {
        "user_id": tenant.id,
        "role": tenant.role,
        "organization_id": tenant.organization_id,
        "project_id": tenant.default_project_id,
    }


async def expire_session(control: MockControl, exchange: Exchange) -> None:
    session = control.backend.state.sessions.get(exchange.path_params["session_id"])
    if session is None:
        raise NotFound(
            f"session_id: no session {exchange.path_params['session_id']!r}", pointer="/session_id"
        )
    if session.ended_at is None:
        session.ended_at = control.backend.clock.now()
        session.status = {"type": "cancelled", "detail": "expired through the control API"}


async def list_snapshots(control: MockControl, exchange: Exchange) -> dict[str, Any]:
    kept = (await control.snapshots.names()).items()
    return {"snapshots": [{"id": name, "taken_at": taken_at} for name, taken_at in kept]}


async def take_snapshot(control: MockControl, exchange: Exchange) -> Answer:
    name, taken_at = await control.take_snapshot((exchange.body or {}).get("name"))
    return Answer(201, {"id": name, "taken_at": taken_at})


async def restore_snapshot(control: MockControl, exchange: Exchange) -> None:
    await control.restore_snapshot(await known_snapshot(control, exchange))


async def delete_snapshot(control: MockControl, exchange: Exchange) -> None:
    await control.forget_snapshot(await known_snapshot(control, exchange))


async def known_snapshot(control: MockControl, exchange: Exchange) -> str:
    """The snapshot that a path names. Raises NotFound."""
    key = exchange.path_params["snapshot_id"]
    if key not in await control.snapshots.names():
        raise NotFound(
            f"snapshot_id: no snapshot {key!r}",
            pointer="/snapshot_id",
            rule="snapshots are taken at POST /_mock/snapshots",
            fix="list them at GET /_mock/snapshots",
        )
    return key
