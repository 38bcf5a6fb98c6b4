"""What only a real connection shows: flushes, hang-ups, lanes that come free."""

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest

from tinker_mock.server.serving.in_thread import RunningServer
from tinker_mock.server.text import generation

MODEL = "Qwen/Qwen3-8B"
HEADERS = {"Authorization": "Bearer tml-sockets"}
ASKED = {"model": MODEL, "prompt": "Once", "seed": 1, "max_tokens": 2000, "stream": True}


def request_bytes(body: dict[str, Any]) -> bytes:
    content = json.dumps(body).encode()
    head = (
        "POST /oai/api/v1/completions HTTP/1.1\r\nHost: mock\r\n"
        "Authorization: Bearer tml-sockets\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(content)}\r\n\r\n"
    )
    return head.encode() + content


@contextmanager
def stopped_at_the_first_event(server: RunningServer) -> Iterator[None]:
    """A stream whose next event waits for a clock that stands still; at the end we hang up."""
    effect = {"X-Tinker-Mock-Effect": "slow-events-50ms"}
    with (
        httpx.Client(base_url=server.url, headers={**HEADERS, **effect}, timeout=60) as client,
        client.stream("POST", "/oai/api/v1/completions", json=ASKED) as response,
    ):
        httpx.post(f"{server.url}/_mock/clock/advance", json={"seconds": 0.05}, timeout=60)
        events = response.iter_raw()  # kept, for its end closes the connection
        next(events)
        yield


def test_every_event_is_a_flush_of_its_own(text_mock: RunningServer) -> None:
    """Each HTTP chunk holds exactly one event."""
    address = ("127.0.0.1", text_mock.settings.port)
    body = {**ASKED, "max_tokens": 12}
    with socket.create_connection(address, timeout=20) as connection:
        connection.sendall(request_bytes(body))
        reader = connection.makefile("rb")
        while reader.readline().strip():
            pass
        sizes = []
        while size := int(reader.readline(), 16):
            event = reader.read(size + 2)
            sizes.append(event.count(b"\n\n"))
        reader.close()
    assert len(sizes) > 5
    assert set(sizes) == {1}


@pytest.mark.tinker_mock(clock="manual")
def test_a_client_that_hangs_up_stops_the_generation(
    tinker_mock: RunningServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    slices: list[int] = []
    ended: list[int] = []
    over = threading.Event()
    original, pieces = generation.TextRun._slice, generation.TextRun.pieces

    async def counted(run: generation.TextRun, *more: Any) -> Any:
        slices.append(run.count)
        return await original(run, *more)

    async def watched(run: generation.TextRun) -> Any:
        try:
            async for piece in pieces(run):
                yield piece
        finally:
            ended.append(run.count)
            over.set()

    monkeypatch.setattr(generation.TextRun, "_slice", counted)
    monkeypatch.setattr(generation.TextRun, "pieces", watched)
    with stopped_at_the_first_event(tinker_mock):
        assert not over.is_set()
    assert over.wait(60)
    assert ended[0] < 200
    assert len(slices) < 20


@pytest.mark.tinker_mock(clock="manual")
def test_the_journal_says_that_the_client_left(tinker_mock: RunningServer) -> None:
    with stopped_at_the_first_event(tinker_mock):
        pass
    journal = f"{tinker_mock.url}/_mock/journal"
    httpx.get(f"{journal}/wait", params={"count": 1, "timeout": 60}, timeout=90)
    entries = httpx.get(journal, timeout=60).json()["entries"]
    assert [entry["verdict"] for entry in entries] == ["gone"]
