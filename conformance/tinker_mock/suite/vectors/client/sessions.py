"""Sessions and heartbeats."""

from typing import Any

from tinker_mock.client.session.heartbeat import Heartbeat, HeartbeatSettings
from tinker_mock.suite.vectors.client.stage import SESSION, Component, Stage, run


def session(given: Any, entry: Any) -> Any:
    if entry["name"] == "heartbeat options":
        call = _heartbeat(Stage([{}]), given["session_id"]).call()
        assert call.timeout is not None
        return {
            "request": f"{call.method} {call.path}",
            "timeout_ms": round(call.timeout * 1000),
            "max_retries": call.max_retries,
        }
    stage = Stage({**SESSION, "create_session": given["response"]})
    return {"session_id": run(_opened(stage)), "info_message": given["response"]["info_message"]}


def heartbeat_request(given: Any, _entry: Any) -> Any:
    return {"json": _heartbeat(Stage([{}]), given).call().json}


def session_manager(given: Any, entry: Any) -> Any:
    if entry["name"] == "defaults":
        defaults = HeartbeatSettings()
        return {
            "heartbeat_interval_ms": round(defaults.interval * 1000),
            "warn_after_ms": round(defaults.warn_after * 1000),
            "max_failure_count": _or_infinity(defaults.max_failure_count),
            "max_failure_duration_ms": _or_infinity(defaults.max_failure_duration),
        }
    if "heartbeat_status" in given:
        stage = Stage([given["heartbeat_status"]])
        limit = given["max_failure_count"]

        async def beat() -> bool:
            async with stage.transport() as transport:
                settings = HeartbeatSettings(max_failure_count=limit)
                return await Heartbeat(transport, "s", settings).beat()

        return {"session_kept": run(beat())}
    stage = Stage(SESSION)
    run(_opened(stage))
    return {"json": stage.script.bodies("create_session")[0]}


def _heartbeat(stage: Stage, session_id: str) -> Heartbeat:
    return Heartbeat(stage.transport(), session_id)


async def _opened(stage: Stage) -> str:
    async with stage.service() as service:
        return await service.connection.session()


def _or_infinity(value: Any) -> Any:
    return "infinity" if value is None else value


COMPONENTS: dict[str, Component] = {
    "Session": session,
    "SessionHeartbeatRequest": heartbeat_request,
    "SessionManager": session_manager,
}
