"""Heartbeats, telemetry, sessions: what happens while time passes."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.client.conftest import SESSION, ScriptedServer, config
from tinker_mock.client import (
    ApiStatusError,
    AsyncServiceClient,
    Category,
    HeartbeatSettings,
    ManualClock,
)
from tinker_mock.client.http.transport import Transport
from tinker_mock.client.session.heartbeat import Heartbeat
from tinker_mock.client.telemetry.events import duration_text
from tinker_mock.client.telemetry.reporter import ReporterSettings, TelemetryReporter

pytestmark = pytest.mark.anyio


async def test_a_session_beats_every_ten_seconds_until_it_is_closed() -> None:
    clock, server = ManualClock(), ScriptedServer(SESSION)
    async with AsyncServiceClient(config(), http=server, clock=clock) as service:
        assert await service.connection.session() == "s"
        assert await service.connection.session() == "s"
        await clock.advance(35.0)
        assert len(server.bodies("session_heartbeat")) == 3
    await clock.advance(100.0)
    assert len(server.bodies("session_heartbeat")) == 3
    assert len(server.bodies("create_session")) == 1


async def test_no_heartbeat_comes_while_a_session_is_being_finished() -> None:
    clock = ManualClock()

    class SlowToFinish(ScriptedServer):
        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            if request.url.path.endswith("/finish"):
                await clock.advance(60.0)
            return await super().handle_async_request(request)

    server = SlowToFinish({**SESSION, "client/config": {}, "sessions/s/finish": {}})
    async with AsyncServiceClient(config("python-latest"), http=server, clock=clock) as service:
        await service.connection.session()
        await clock.advance(15.0)
    assert len(server.bodies("sessions/s/finish")) == 1
    assert len(server.bodies("session_heartbeat")) == 1


async def test_silence_is_reported_after_two_minutes_and_the_heart_goes_on(
    caplog: pytest.LogCaptureFixture,
) -> None:
    clock = ManualClock()
    answers: list[Any] = [(500, {"message": "down"})] * 13 + [{}]
    server = ScriptedServer({**SESSION, "session_heartbeat": answers})
    async with AsyncServiceClient(config(), http=server, clock=clock) as service:
        await service.connection.session()
        await clock.advance(115.0)
        assert "Heartbeat has failed" not in caplog.text
        await clock.advance(10.0)
        assert "Heartbeat has failed for 120000ms for session s" in caplog.text
        await clock.advance(60.0)
    assert len(server.bodies("session_heartbeat")) == 18


@pytest.mark.parametrize(
    ("status", "settings", "ending", "beats"),
    [
        (410, HeartbeatSettings(), "gone", 1),
        (500, HeartbeatSettings(max_failure_count=2), "given_up", 3),
        (500, HeartbeatSettings(max_failure_duration=25.0), "given_up", 3),
    ],
)
async def test_a_heart_stops_for_good_reasons_only(
    status: int, settings: HeartbeatSettings, ending: str, beats: int
) -> None:
    clock, server = ManualClock(), ScriptedServer({"session_heartbeat": (status, {})})
    told: list[str] = []
    async with Transport(config(), clock=clock, http=server) as transport:
        heart = Heartbeat(transport, "s", settings, on_end=told.append)
        heart.start()
        await clock.advance(200.0)
        await heart.stop()
    assert (heart.ending, told, len(server.requests)) == (ending, [ending], beats)


async def test_messages_of_a_new_session_are_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    created = {"session_id": "s", "warning_message": "upgrade soon", "error_message": "too old"}
    server = ScriptedServer({**SESSION, "create_session": created})
    async with AsyncServiceClient(
        config(tags=["a"], user_metadata={"k": "v"}, project_id="p"),
        http=server,
        clock=ManualClock(),
    ) as service:
        await service.connection.session()
    levels = {record.getMessage(): record.levelname for record in caplog.records}
    assert levels["upgrade soon"] == "WARNING"
    assert levels["too old"] == "ERROR"
    body = server.bodies("create_session")[0]
    assert (body["tags"], body["user_metadata"], body["project_id"]) == (["a"], {"k": "v"}, "p")


async def test_dynamic_settings_are_followed_while_the_session_lasts() -> None:
    clock = ManualClock()
    answers: list[Any] = [
        {"refresh_interval_sec": 60},
        (503, {}),
        {"refresh_interval_sec": 3, "sample_cancel_enabled": True},
    ]
    server = ScriptedServer({**SESSION, "client/config": {}, "client/dynamic_config": answers})
    async with AsyncServiceClient(config("python-latest"), http=server, clock=clock) as service:
        await service.connection.session()
        assert not service.connection.dynamic.sample_cancel_enabled
        await clock.advance(61.0)
        assert not service.connection.dynamic.sample_cancel_enabled
        await clock.advance(60.0)
        assert service.connection.dynamic.sample_cancel_enabled
        await clock.advance(10.0)
    await clock.advance(100.0)
    assert server.paths().count("client/dynamic_config") == 4


def ids() -> Iterator[str]:
    number = 0
    while True:
        yield f"{number:032x}"
        number += 1


async def reporter(
    server: ScriptedServer, clock: ManualClock, settings: ReporterSettings
) -> tuple[TelemetryReporter, Transport]:
    transport = Transport(config(max_retries=0), clock=clock, http=server)
    source = ids()
    made = TelemetryReporter(
        transport, "s", settings, platform="unix/linux", new_id=lambda: next(source)
    )
    return made, transport


async def test_telemetry_goes_out_in_batches_by_time_and_by_number() -> None:
    clock, server = ManualClock(), ScriptedServer({"telemetry": {"status": "accepted"}})
    telemetry, transport = await reporter(server, clock, ReporterSettings(batch_size=3))
    async with transport:
        telemetry.start()
        await clock.advance(10.0)
        for number in range(4):
            telemetry.log("step", {"number": number})
        await clock.advance(0.0)
        await clock.advance(5.0)
        await telemetry.stop()
        await telemetry.stop()
    batches = [body["events"] for body in server.bodies("telemetry")]
    assert [len(batch) for batch in batches] == [1, 3, 1, 1]
    events = [event for batch in batches for event in batch]
    assert [event["event"] for event in events][:1] == ["SESSION_START"]
    assert [event["event_session_index"] for event in events] == list(range(6))
    assert events[-1]["event"] == "SESSION_END"
    assert events[-1]["duration"] == "0:00:15"
    assert [event["event_data"]["number"] for event in events[1:-1]] == [0, 1, 2, 3]


async def test_a_full_queue_drops_and_a_refused_batch_is_given_up(
    caplog: pytest.LogCaptureFixture,
) -> None:
    clock = ManualClock(autojump=True)
    server = ScriptedServer({"telemetry": (500, {})})
    settings = ReporterSettings(queue_size=2, max_retries=3)
    telemetry, transport = await reporter(server, clock, settings)
    async with transport:
        assert telemetry.log("one")
        assert not telemetry.log("two")
        await telemetry.flush()
    assert len(server.requests) == 4
    assert [round(seconds) for seconds in clock.sleeps] == [1, 2, 4]
    assert "telemetry failed after 3 retries" in caplog.text


async def test_users_own_mistakes_are_warnings_and_crashes_are_exceptions() -> None:
    server = ScriptedServer({"telemetry": {"status": "accepted"}})
    telemetry, transport = await reporter(server, ManualClock(), ReporterSettings())
    mistake = ApiStatusError("rank: must be positive", status=422, category=Category.USER)
    wrapped = RuntimeError("training failed")
    wrapped.__cause__ = mistake
    async with transport:
        telemetry.log_exception(wrapped)
        telemetry.log_exception(ZeroDivisionError("division by zero"))
        await telemetry.flush()
    _, first, second = server.bodies("telemetry")[0]["events"]
    assert (first["event_name"], first["severity"]) == ("user_error", "WARNING")
    assert first["event_data"]["status_code"] == 422
    assert (second["event"], second["error_type"]) == ("UNHANDLED_EXCEPTION", "ZeroDivisionError")
    assert "division by zero" in second["traceback"]


async def test_telemetry_can_be_switched_off_and_never_blocks_closing() -> None:
    silent = ScriptedServer(SESSION)
    async with AsyncServiceClient(
        config(telemetry_enabled=False), http=silent, clock=ManualClock()
    ) as service:
        await service.connection.session()
    assert "telemetry" not in silent.paths()
    broken = ScriptedServer({**SESSION, "telemetry": httpx.ConnectError("down")})
    async with AsyncServiceClient(
        config(max_retries=0), http=broken, clock=ManualClock()
    ) as service:
        await service.connection.session()
    assert broken.paths().count("telemetry") == 1


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0:00:00"), (3661.25, "1:01:01.250000"), (90_000, "25:00:00")]
)
def test_durations_are_written_as_hours_minutes_seconds(seconds: float, text: str) -> None:
    assert duration_text(seconds) == text
