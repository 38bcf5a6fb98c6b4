"""Telemetry: events on the wire, batches, and whose fault an exception is."""

from typing import Any

import pytest

from tests.client.conftest import ScriptedServer, config
from tinker_mock.client import ApiStatusError, Category, ManualClock
from tinker_mock.client.http.transport import Transport
from tinker_mock.client.telemetry.blame import user_error_in_chain
from tinker_mock.client.telemetry.events import EventType, Severity, Stamp, event, generic_event
from tinker_mock.client.telemetry.reporter import ReporterSettings, TelemetryReporter

STAMP = Stamp("abc123", 1, "2025-11-27T00:00:00Z")
ACCEPTED = {"status": "accepted"}


@pytest.mark.parametrize(
    ("kind", "wire", "value"),
    [
        (Severity, "DEBUG", "debug"),
        (Severity, "INFO", "info"),
        (Severity, "WARNING", "warning"),
        (EventType, "SESSION_END", "session_end"),
        (EventType, "UNHANDLED_EXCEPTION", "unhandled_exception"),
        (EventType, "GENERIC_EVENT", "generic_event"),
    ],
)
def test_words_are_upper_case_on_the_wire(kind: Any, wire: str, value: str) -> None:
    assert kind.from_wire(wire).value == value
    assert kind(value).wire == wire


@pytest.mark.parametrize(
    ("failure", "blames_the_user"),
    [
        ({"status": 400}, True),
        ({"status": 408}, False),
        ({"status": 429}, False),
        ({"status": 500}, False),
        ({"plug_status": 403}, True),
        ({"plug_status": 408}, False),
        ({"category": "user"}, True),
        ({"reason": {"status": 400}}, True),
        ({"reason": {"reason": {"reason": {"status": 400}}}}, True),
        ({"__cause__": {"status": 400}}, True),
        ({"__context__": {"status": 400}}, True),
    ],
)
def test_a_users_mistake_is_found_in_the_chain(failure: Any, blames_the_user: bool) -> None:
    assert (user_error_in_chain(failure) is not None) is blames_the_user


def test_a_generic_event_on_the_wire() -> None:
    assert generic_event(STAMP, "test_event", None, Severity.WARNING) == {
        "event": "GENERIC_EVENT",
        "event_id": "abc123",
        "event_session_index": 1,
        "severity": "WARNING",
        "timestamp": "2025-11-27T00:00:00Z",
        "event_name": "test_event",
        "event_data": {},
    }


def test_an_unhandled_exception_on_the_wire() -> None:
    told = {
        "error_type": "RuntimeError",
        "error_message": "test error",
        "traceback": "stack trace here",
    }
    sent = event(EventType.UNHANDLED_EXCEPTION, STAMP, Severity.ERROR, **told)
    wanted = {"event": "UNHANDLED_EXCEPTION", "severity": "ERROR", **told}
    assert {name: sent[name] for name in wanted} == wanted


async def report(answer: Any, use: Any, *, retries: int = 3, **options: Any) -> ScriptedServer:
    """What a reporter of its own sends while it is used, and on a last flush."""
    server = ScriptedServer({"telemetry": answer})
    settings = ReporterSettings(max_retries=retries)
    async with Transport(
        config("tinkex"), clock=ManualClock(autojump=True), http=server
    ) as transport:
        reporter = TelemetryReporter(transport, "session-123", settings, **options)
        use(reporter)
        await reporter.flush()
    return server


@pytest.mark.anyio
async def test_events_go_out_in_one_batch_that_begins_with_the_session() -> None:
    def use(reporter: TelemetryReporter) -> None:
        reporter.log("event-one")
        reporter.log("event-two")

    server = await report(ACCEPTED, use, platform="win32")
    (request,) = server.requests
    assert (request.method, request.url.path) == ("POST", "/api/v1/telemetry")
    (body,) = server.bodies("telemetry")
    assert list(body) == ["session_id", "platform", "sdk_version", "events"]
    assert (body["session_id"], body["platform"]) == ("session-123", "win32")
    first, *logged = body["events"]
    assert first["event"] == "SESSION_START"
    assert [one["event_name"] for one in logged] == ["event-one", "event-two"]


@pytest.mark.anyio
async def test_a_users_mistake_is_reported_as_a_generic_event() -> None:
    mistake = ApiStatusError("bad", status=400, category=Category.USER)
    server = await report(ACCEPTED, lambda reporter: reporter.log_exception(mistake))
    last = server.bodies("telemetry")[0]["events"][-1]
    assert (last["event"], last["event_name"]) == ("GENERIC_EVENT", "user_error")
    assert last["event_data"]["status_code"] == 400


@pytest.mark.anyio
async def test_a_batch_nobody_takes_is_given_up(caplog: pytest.LogCaptureFixture) -> None:
    server = await report((500, {}), lambda _: None, retries=2)
    assert len(server.requests) == 3
    assert "failed after 2 retries" in caplog.text


@pytest.mark.anyio
async def test_stopping_sends_the_end_of_the_session() -> None:
    server = ScriptedServer({"telemetry": ACCEPTED})
    async with Transport(config("tinkex"), clock=ManualClock(), http=server) as transport:
        reporter = TelemetryReporter(transport, "session-123")
        reporter.log("event")
        await reporter.stop()
    (body,) = server.bodies("telemetry")
    kinds = [one["event"] for one in body["events"]]
    assert kinds == ["SESSION_START", "GENERIC_EVENT", "SESSION_END"]
