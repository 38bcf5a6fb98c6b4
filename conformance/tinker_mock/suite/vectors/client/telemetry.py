"""Telemetry events, batches and blame."""

from typing import Any

from tinker_mock.client.errors import ApiStatusError, Category
from tinker_mock.client.telemetry.blame import user_error_in_chain
from tinker_mock.client.telemetry.events import EventType, Severity, Stamp, event, generic_event
from tinker_mock.client.telemetry.reporter import ReporterSettings, TelemetryReporter
from tinker_mock.suite.vectors.client.stage import Captured, Component, Stage, run
from tinker_mock.suite.vectors.comparison import Partial


def telemetry(given: Any, entry: Any) -> Any:
    name = entry["name"]
    if name == "severity roundtrip":
        severity = Severity.from_wire(given)
        assert severity.wire == given
        return severity.value
    if name == "event type roundtrip":
        kind = EventType.from_wire(given)
        assert kind.wire == given
        return kind.value
    if name == "find_user_error_in_chain":
        return user_error_in_chain(given) is not None
    if name == "unhandled exception wire":
        sent = event(EventType.UNHANDLED_EXCEPTION, _STAMP, Severity.ERROR, **given)
        return Partial(sent)
    if name == "generic event wire":
        stamp = Stamp(given["event_id"], given["event_session_index"], given["timestamp"])
        return generic_event(stamp, given["event_name"], None, Severity(given["severity"]))
    return run(_reported(name, given))


_STAMP = Stamp("id", 0, "2025-11-27T00:00:00Z")


async def _reported(name: str, given: Any) -> Any:
    answer = given["status"] if name == "give up after retries" else {"status": "accepted"}
    stage = Stage([answer])
    async with stage.transport() as transport:
        settings = ReporterSettings(max_retries=given.get("max_retries", 3))
        session = given.get("session_id", "session-123")
        reporter = TelemetryReporter(transport, session, settings, platform=given.get("platform"))
        if name == "stop":
            reporter.log("event")
            await reporter.stop()
            sent = stage.script.bodies("telemetry")[0]["events"]
            return {"events_include": [one["event"] for one in sent]}
        if name == "user error (400) logged as generic":
            error = ApiStatusError("bad", status=given["status"], category=Category.USER)
            reporter.log_exception(error)
        for logged in given.get("log", []):
            reporter.log(logged)
        with Captured() as captured:
            await reporter.flush()
        if name == "give up after retries":
            return {"log": captured.text}
    return _described(name, stage)


def _described(name: str, stage: Stage) -> Any:
    body = stage.script.bodies("telemetry")[0]
    if name == "flush payload":
        return {
            "path": stage.script.line(),
            "session_id": body["session_id"],
            "events": len(body["events"]),
            "first": body["events"][0]["event"],
        }
    if name == "send request":
        return {"keys": list(body)}
    last = body["events"][-1]
    return Partial(last | {"event_data.status_code": last["event_data"]["status_code"]})


COMPONENTS: dict[str, Component] = {"Telemetry": telemetry}
