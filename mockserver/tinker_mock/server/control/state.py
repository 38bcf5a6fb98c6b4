"""State at a glance, sessions, models, snapshots, reset, health."""

from __future__ import annotations

from typing import Any

from tinker_mock.contracts import load_contract
from tinker_mock.server.control.call import Call, Handler, done
from tinker_mock.server.control.clock import clock_state
from tinker_mock.server.errors import NotFound, ServiceError
from tinker_mock.server.wire.exchange import Answer


class NotReady(ServiceError):
    """The server is going down."""

    status = 503
    kind = "not_ready"


async def index(call: Call) -> Answer:
    operations = load_contract("control").operations.values()
    return done({"operations": {f"{op.method} {op.path}": op.summary for op in operations}})


async def healthz(call: Call) -> Answer:
    return done({"status": "ok"})


async def readyz(call: Call) -> Answer:
    if call.director.closing:
        raise NotReady("the mock is shutting down", fix="ask the next instance")
    return done({"status": "ready"})


async def get_state(call: Call) -> Answer:
    simulator, state = call.simulator, call.simulator.state
    tables = ("tenants", "sessions", "runs", "checkpoints", "samplers", "promises", "lanes")
    return done(
        {
            "counts": {table: len(getattr(state, table)) for table in tables},
            "clock": clock_state(simulator.clock),
            "scenario": call.director.scenario.name,
            "seed": simulator.settings.seed,
            "parked": len(simulator.parked),
        }
    )


async def reset(call: Call) -> Answer:
    call.director.reset()
    return done()


async def list_sessions(call: Call) -> Answer:
    return done({"sessions": [_session(s) for s in call.simulator.state.sessions.values()]})


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


async def expire_session(call: Call) -> Answer:
    session = call.simulator.state.sessions.get(call.path["session_id"])
    if session is None:
        raise NotFound(f"session_id: no session {call.path['session_id']!r}", pointer="/session_id")
    if session.ended_at is None:
        session.ended_at = call.simulator.clock.now()
        session.status = {"type": "cancelled", "detail": "expired through the control API"}
    return done()


async def list_models(call: Call) -> Answer:
    runs = call.simulator.state.runs.values()
    return done(
        {
            "models": [
                {
                    "model_id": run.id,
                    "session_id": run.session_id,
                    "tenant": run.tenant_id,
                    "base_model": run.base_model,
                    "rank": run.rank,
                    "steps": run.steps,
                    "loaded": run.trainer is not None,
                    "corrupted": run.corrupted,
                }
                for run in runs
            ]
        }
    )


async def list_snapshots(call: Call) -> Answer:
    kept = call.director.snapshots.items()
    return done({"snapshots": [{"id": key, "taken_at": s.taken_at} for key, s in kept]})


async def take_snapshot(call: Call) -> Answer:
    key, snapshot = await call.director.take_snapshot()
    return done({"id": key, "taken_at": snapshot.taken_at}, 201)


async def restore_snapshot(call: Call) -> Answer:
    await call.director.restore_snapshot(_known(call))
    return done()


async def delete_snapshot(call: Call) -> Answer:
    del call.director.snapshots[_known(call)]
    return done()


def _known(call: Call) -> str:
    key = call.path["snapshot_id"]
    if key not in call.director.snapshots:
        raise NotFound(
            f"snapshot_id: no snapshot {key!r}",
            pointer="/snapshot_id",
            rule="snapshots are taken at POST /_mock/snapshots",
            fix="list them at GET /_mock/snapshots",
        )
    return key


HANDLERS: dict[str, Handler] = {
    "index": index,
    "healthz": healthz,
    "readyz": readyz,
    "get_state": get_state,
    "reset": reset,
    "list_sessions": list_sessions,
    "expire_session": expire_session,
    "list_models": list_models,
    "list_snapshots": list_snapshots,
    "take_snapshot": take_snapshot,
    "restore_snapshot": restore_snapshot,
    "delete_snapshot": delete_snapshot,
}
