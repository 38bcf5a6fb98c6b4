"""Telemetry is accepted, whatever it says."""

from typing import Any

from tinker_mock.suite.core.context import ScenarioContext
from tinker_mock.suite.core.http import Reply
from tinker_mock.suite.core.verdict import expect, expect_equal
from tinker_mock.suite.server.scenario import scenario

COMMON = {
    "event_id": "4f0c1f62-8f5f-4c7e-9f0a-0d6f5f1f2a11",
    "event_session_index": 0,
    "severity": "INFO",
    "timestamp": "2026-01-02T03:04:05.678901Z",
}
PROCESS = 24
"""The release from which process_uuid is always sent."""
EVENTS: dict[str, dict[str, Any]] = {
    "telemetry/event/session-start": {"event": "SESSION_START"},
    "telemetry/event/session-end": {"event": "SESSION_END", "duration": "0:01:05.250000"},
    "telemetry/event/unhandled-exception": {
        "event": "UNHANDLED_EXCEPTION",
        "error_type": "ValueError",
        "error_message": "no",
        "traceback": None,
    },
    "telemetry/event/generic-event": {
        "event": "GENERIC_EVENT",
        "event_name": "APIFuture.result",
        "event_data": {"nested": [1, {"a": None}]},
    },
}


def send(context: ScenarioContext, events: list[dict[str, Any]], **fields: Any) -> Reply:
    """One batch."""
    body = {
        "events": events,
        "platform": "Linux",
        "sdk_version": context.target.release,
        "session_id": "sessionless-1f0c",
        **({"process_uuid": "3d3d"} if context.target.minor >= PROCESS else {}),
        **fields,
    }
    return context.client.call("send_telemetry", body)


@scenario("telemetry/batches")
def batches(context: ScenarioContext) -> None:
    """Each kind of event, and full batches."""
    session = context.session()
    made = {event["event"]: {**COMMON, **event} for event in EVENTS.values()}
    for check, event in EVENTS.items():
        with context.check(check):
            send(context, [{**COMMON, **event}], session_id=session).require()
    with context.check("telemetry/answer/accepted"):
        reply = send(context, [made["SESSION_START"]], session_id=session)
        expect_equal(reply.require().at("/status"), "accepted", "the one word clients take")
    with context.check("telemetry/batch/full"):
        full = send(context, list(made.values()) * 25, session_id=session)
        expect_equal(full.require().at("/status"), "accepted", "a hundred events")
    with context.check("telemetry/batch/empty"):
        send(context, [], session_id=session).require()
    with context.check("telemetry/batch/process"):
        send(context, [made["SESSION_START"]], process_uuid="3d3d", session_id=session).require()
    with context.check("telemetry/batch/sessionless"):
        send(context, [made["GENERIC_EVENT"]]).require()
    with context.check("telemetry/answer/quick"):
        quick = send(context, [made["SESSION_END"]], session_id=session)
        expect(quick.elapsed < 5.0, "answered before the client gives up", "< 5 s", quick.elapsed)
