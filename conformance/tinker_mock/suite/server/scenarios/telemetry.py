"""Telemetry is accepted, whatever it says."""

from typing import Any

from tinker_mock.suite.core.context import Stage
from tinker_mock.suite.core.http import Reply
from tinker_mock.suite.core.scenario import scenario
from tinker_mock.suite.core.verdict import expect, expect_equal

COMMON = {
    "event_id": "4f0c1f62-8f5f-4c7e-9f0a-0d6f5f1f2a11",
    "event_session_index": 0,
    "severity": "INFO",
    "timestamp": "2026-01-02T03:04:05.678901Z",
}
PROCESS = 24
"""The release from which process_uuid is always sent."""
EVENTS: dict[str, dict[str, Any]] = {
    "SESSION_START": {},
    "SESSION_END": {"duration": "0:01:05.250000"},
    "UNHANDLED_EXCEPTION": {"error_type": "ValueError", "error_message": "no", "traceback": None},
    "GENERIC_EVENT": {"event_name": "APIFuture.result", "event_data": {"nested": [1, {"a": None}]}},
}


def send(stage: Stage, events: list[dict[str, Any]], **fields: Any) -> Reply:
    """One batch."""
    body = {
        "events": events,
        "platform": "Linux",
        "sdk_version": stage.target.release,
        "session_id": "sessionless-1f0c",
        **({"process_uuid": "3d3d"} if stage.target.minor >= PROCESS else {}),
        **fields,
    }
    return stage.hands.call("send_telemetry", body)


@scenario(
    "telemetry/batches",
    *(f"telemetry/event/{name.lower().replace('_', '-')}" for name in EVENTS),
    "telemetry/answer/accepted",
    "telemetry/batch/full",
    "telemetry/batch/empty",
    "telemetry/batch/process",
    "telemetry/batch/sessionless",
    "telemetry/answer/quick",
)
def batches(stage: Stage) -> None:
    """Each kind of event, and full batches."""
    session = stage.session()
    made = {name: {**COMMON, "event": name, **extra} for name, extra in EVENTS.items()}
    for name, event in made.items():
        with stage.check(f"telemetry/event/{name.lower().replace('_', '-')}"):
            send(stage, [event], session_id=session).require()
    with stage.check("telemetry/answer/accepted"):
        reply = send(stage, [made["SESSION_START"]], session_id=session)
        expect_equal(reply.require().at("/status"), "accepted", "the one word clients take")
    with stage.check("telemetry/batch/full"):
        full = send(stage, list(made.values()) * 25, session_id=session)
        expect_equal(full.require().at("/status"), "accepted", "a hundred events")
    with stage.check("telemetry/batch/empty"):
        send(stage, [], session_id=session).require()
    with stage.check("telemetry/batch/process"):
        send(stage, [made["SESSION_START"]], process_uuid="3d3d", session_id=session).require()
    with stage.check("telemetry/batch/sessionless"):
        send(stage, [made["GENERIC_EVENT"]]).require()
    with stage.check("telemetry/answer/quick"):
        quick = send(stage, [made["SESSION_END"]], session_id=session)
        expect(quick.elapsed < 5.0, "answered before the client gives up", "< 5 s", quick.elapsed)
