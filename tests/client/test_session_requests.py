"""Sessions and heartbeats: what is sent, how often, and when a session is over."""

import logging

import pytest

from tests.client.conftest import SESSION, ScriptedServer, config
from tests.client.opened import service
from tinker_mock.client import HeartbeatSettings, ManualClock
from tinker_mock.client.http.transport import Transport
from tinker_mock.client.session.heartbeat import Heartbeat

pytestmark = pytest.mark.anyio


async def test_a_session_is_opened_with_tags_and_greets(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    created = {"session_id": "typed", "info_message": "welcome"}
    server = ScriptedServer({**SESSION, "create_session": created})
    async with service(server) as opened:
        assert await opened.connection.session() == "typed"
    assert server.bodies("create_session") == [
        {
            "tags": ["tinkex-elixir"],
            "user_metadata": None,
            "sdk_version": "0.7.0",
            "type": "create_session",
        }
    ]
    assert "welcome" in caplog.text


async def test_a_beat_names_its_session_and_is_never_repeated() -> None:
    server = ScriptedServer({"session_heartbeat": {}})
    async with Transport(config("tinkex"), clock=ManualClock(), http=server) as transport:
        heart = Heartbeat(transport, "sess-456")
        assert await heart.beat()
        call = heart.call()
    (request,) = server.requests
    assert (request.method, request.url.path) == ("POST", "/api/v1/session_heartbeat")
    wanted = {"session_id": "sess-456", "type": "session_heartbeat"}
    assert server.bodies("session_heartbeat") == [wanted]
    assert (call.timeout, call.max_retries) == (10.0, 0)


def test_by_default_a_heart_beats_every_ten_seconds_and_never_gives_up() -> None:
    settings = HeartbeatSettings()
    assert (settings.interval, settings.warn_after) == (10.0, 120.0)
    assert (settings.max_failure_count, settings.max_failure_duration) == (None, None)


async def test_the_first_failure_may_end_a_session() -> None:
    server = ScriptedServer({"session_heartbeat": (500, {})})
    async with Transport(config("tinkex"), clock=ManualClock(), http=server) as transport:
        heart = Heartbeat(transport, "s", HeartbeatSettings(max_failure_count=0))
        assert not await heart.beat()
