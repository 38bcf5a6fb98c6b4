"""What each effect does to the bytes on a real connection, and to an in-process client."""

import asyncio
import json
import socket
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tinker_mock.server.app import create_app
from tinker_mock.server.clock import ManualClock
from tinker_mock.server.serving.in_thread import RunningServer
from tinker_mock.server.settings import Settings

BODY = b'{"status":"ok"}'
MODEL = "Qwen/Qwen3-8B"


@pytest.fixture(scope="module", params=["hypercorn", "uvicorn"])
def server(request: pytest.FixtureRequest) -> Iterator[RunningServer]:
    pytest.importorskip(request.param)
    with RunningServer(Settings(port=0, server=request.param)) as running:
        yield running


def exchange(server: RunningServer, effect: str) -> tuple[bytes, bool]:
    """Everything the server sends for GET healthz, and whether it ended in a reset."""
    request = (
        f"GET /api/v1/healthz HTTP/1.1\r\nHost: mock\r\nConnection: close\r\n"
        f"X-Tinker-Mock-Effect: {effect}\r\n\r\n"
    )
    received = b""
    with socket.create_connection(("127.0.0.1", server.settings.port), timeout=60) as client:
        client.sendall(request.encode())
        try:
            while data := client.recv(4096):
                received += data
        except ConnectionResetError:
            return received, True
    return received, False


def body_of(received: bytes) -> bytes:
    return received.partition(b"\r\n\r\n")[2]


def test_drop_and_lose_close_without_a_byte(server: RunningServer) -> None:
    assert exchange(server, "drop") == (b"", False)
    assert exchange(server, "lose") == (b"", False)


def test_reset_and_lose_reset_end_in_a_tcp_reset(server: RunningServer) -> None:
    assert exchange(server, "reset") == (b"", True)
    assert exchange(server, "lose-reset") == (b"", True)


def test_cut_stops_inside_the_promised_length(server: RunningServer) -> None:
    received, reset = exchange(server, "cut-after-5")
    assert b"content-length: 15" in received
    assert (body_of(received), reset) == (BODY[:5], False)


def test_reset_after_resets(server: RunningServer) -> None:
    assert exchange(server, "reset-after-5")[1]


def test_a_truncated_body_is_a_whole_answer(server: RunningServer) -> None:
    received, _ = exchange(server, "truncate-to-6")
    assert b"content-length: 6\r\n" in received
    assert body_of(received) == BODY[:6]


def test_a_corrupt_body_has_its_length_and_is_no_json(server: RunningServer) -> None:
    received, _ = exchange(server, "corrupt")
    again, _ = exchange(server, "corrupt")
    assert len(body_of(received)) == len(BODY)
    assert body_of(received) == body_of(again)
    with pytest.raises(ValueError, match="Expecting value"):
        json.loads(body_of(received).decode("latin-1"))


def test_return_and_mask_answer_the_status(server: RunningServer) -> None:
    assert exchange(server, "return-503")[0].startswith(b"HTTP/1.1 503")
    masked, _ = exchange(server, "mask-504")
    assert masked.startswith(b"HTTP/1.1 504")
    assert b"Timeout while publishing request" in masked


def test_slow_delivers_the_whole_body(server: RunningServer) -> None:
    assert body_of(exchange(server, "slow-150")[0]) == BODY


class InProcess:
    """The app under httpx's ASGI transport, on a manual clock."""

    def __init__(self) -> None:
        self.app = create_app(Settings(clock="manual"))
        self.clock: Any = self.app.state.mock.clock
        assert isinstance(self.clock, ManualClock)
        self.http = httpx.AsyncClient(
            transport=httpx.ASGITransport(self.app),
            base_url="http://mock",
            headers={"X-API-Key": "tml-in-process"},
        )

    async def post(self, path: str, effect: str = "", **body: Any) -> httpx.Response:
        headers = {"X-Tinker-Mock-Effect": effect} if effect else {}
        return await self.http.post(f"/api/v1/{path}", json=body, headers=headers)

    async def session(self, effect: str = "") -> httpx.Response:
        told = {"tags": [], "user_metadata": {}, "sdk_version": "0.38.0"}
        return await self.post("create_session", effect, **told)

    async def model(self, effect: str = "") -> str:
        session_id = (await self.session()).json()["session_id"]
        answer = await self.post(
            "create_model",
            effect,
            session_id=session_id,
            model_seq_id=0,
            base_model=MODEL,
            lora_config={"rank": 4},
        )
        return str(answer.json()["request_id"])

    async def poll(self, request_id: str, effect: str = "") -> httpx.Response:
        return await self.post("retrieve_future", effect, request_id=request_id)

    async def close(self) -> None:
        self.app.state.mock.close()
        await self.http.aclose()


@pytest.fixture
def in_process() -> Iterator[tuple[InProcess, asyncio.Runner]]:
    with asyncio.Runner() as runner:

        async def build() -> InProcess:
            return InProcess()

        client = runner.run(build())
        yield client, runner
        runner.run(client.close())


Fixture = tuple[InProcess, asyncio.Runner]


@pytest.mark.parametrize("effect", ["drop", "reset", "lose", "cut-after-3"])
def test_in_process_a_cut_connection_is_a_read_error(in_process: Fixture, effect: str) -> None:
    client, runner = in_process
    with pytest.raises(httpx.ReadError):
        runner.run(client.session(effect))


def test_dropped_requests_are_not_handled_and_lost_ones_are(in_process: Fixture) -> None:
    client, runner = in_process

    async def sessions(effect: str) -> int:
        with pytest.raises(httpx.ReadError):
            await client.session(effect)
        return len(client.app.state.mock.state.sessions)

    assert runner.run(sessions("drop")) == 0
    assert runner.run(sessions("lose")) == 1


@pytest.mark.parametrize(("effect", "handled_at"), [("stall-5s", 5.0), ("hold-5s", 0.0)])
def test_stall_waits_before_and_hold_after_the_work(
    in_process: Fixture, effect: str, handled_at: float
) -> None:
    client, runner = in_process

    async def scenario() -> tuple[float, float]:
        start = client.clock.now()
        answer = asyncio.create_task(client.session(effect))
        await client.clock.run_for(4.9)
        assert not answer.done()
        await client.clock.run_for(0.2)
        await answer
        (session,) = client.app.state.mock.state.sessions.values()
        return session.created_at - start, client.clock.now() - start

    created, ended = runner.run(scenario())
    assert created == handled_at
    assert ended >= 5


def test_duplicates_get_one_promise(in_process: Fixture) -> None:
    client, runner = in_process

    async def scenario() -> int:
        request_id = await client.model("duplicate")
        assert (await client.poll(request_id)).status_code == 200
        return len(client.app.state.mock.state.promises)

    assert runner.run(scenario()) == 1


def test_promise_effects(in_process: Fixture) -> None:
    client, runner = in_process

    async def scenario() -> None:
        first, second = await client.model(), await client.model()
        pending = await client.poll(first, "try-again-rate-limit")
        assert (pending.status_code, pending.json()["queue_state"]) == (408, "paused_rate_limit")
        assert "model_id" in (await client.poll(first)).json()
        failed = await client.poll(first, "fail-server")
        assert failed.json()["category"] == "server"
        assert (await client.poll(first)).json() == failed.json()
        assert (await client.poll(second, "expire-promise")).status_code == 410
        assert (await client.poll(second)).status_code == 410
        assert (await client.poll("unknown", "expire-promise")).status_code == 404

    runner.run(scenario())


def test_skew_shifts_the_times_of_one_answer(in_process: Fixture) -> None:
    client, runner = in_process

    async def created(effect: str) -> float:
        told = (await client.session(effect)).json()["session_id"]
        session = client.app.state.mock.state.sessions[told]
        return float(session.created_at) - client.clock.now()

    assert runner.run(created("skew-minus-1h")) == -3600
    assert runner.run(created("skew-30s")) == 30
    assert runner.run(created("")) == 0
