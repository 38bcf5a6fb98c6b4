"""The limits hold behind each server, as the page says."""

import gzip
import socket
import time
from collections.abc import Iterator
from importlib.util import find_spec

import httpx
import pytest

from tests.server.commands import ServerProcess, served_process

INSTALLED = [name for name in ("hypercorn", "uvicorn", "granian") if find_spec(name)]
OPTIONS = ("--max-connections", "20", "--read-timeout", "1", "--max-body", "2")
HEAD = (
    b"POST /api/v1/create_session HTTP/1.1\r\nhost: localhost\r\nx-api-key: tml-a\r\n"
    b"content-type: application/json\r\n"
)
MORE = 40
"""Connections that bring nothing."""


@pytest.fixture(scope="module", params=INSTALLED)
def mock(request: pytest.FixtureRequest) -> Iterator[tuple[str, ServerProcess]]:
    with served_process("--server", request.param, *OPTIONS) as server:
        yield request.param, server


def status_of(port: int, content: bytes) -> int:
    """What comes back first; 0 for nothing."""
    with socket.create_connection(("127.0.0.1", port), timeout=60) as client:
        try:
            client.sendall(content)
            answer = client.recv(65536)
        except ConnectionError:
            return 0
    return int(answer[9:12]) if answer else 0


@pytest.mark.parametrize(("size", "expected"), [(15_000, {200}), (17_000, {431}), (60_000, {431})])
def test_heads(mock: tuple[str, ServerProcess], size: int, expected: set[int]) -> None:
    head = b"GET /api/v1/healthz HTTP/1.1\r\nhost: localhost\r\nx-long: " + b"y" * size
    assert status_of(mock[1].port, head + b"\r\n\r\n") in expected


def test_a_head_beyond_what_the_server_reads(mock: tuple[str, ServerProcess]) -> None:
    head = b"GET /api/v1/healthz HTTP/1.1\r\nhost: localhost\r\nx-long: " + b"y" * 300_000
    assert status_of(mock[1].port, head + b"\r\n\r\n") in (0, 400 if mock[0] == "uvicorn" else 431)


def test_bodies(mock: tuple[str, ServerProcess]) -> None:
    assert status_of(mock[1].port, HEAD + b"content-length: 99999999\r\n\r\n") == 413
    assert status_of(mock[1].port, HEAD + b"content-length: 100\r\n\r\n{") == 408
    told = {"x-api-key": "tml-a", "content-type": "application/json", "content-encoding": "gzip"}
    bomb = gzip.compress(b" " * (50 << 20))
    answer = httpx.post(f"{mock[1].url}/api/v1/create_session", content=bomb, headers=told)
    assert answer.status_code == 413


def test_a_body_with_two_ends(mock: tuple[str, ServerProcess]) -> None:
    """What a proxy in front may read in another way ends the connection."""
    body = b'22\r\n{"tags":[],"sdk_version":"0.38.0"}\r\n0\r\n\r\n'
    smuggled = b"GET /api/v1/healthz HTTP/1.1\r\nhost: localhost\r\n\r\n"
    head = HEAD + b"content-length: 6\r\ntransfer-encoding: chunked\r\n\r\n"
    answers = b""
    with socket.create_connection(("127.0.0.1", mock[1].port), timeout=60) as client:
        client.sendall(head + body + smuggled)
        while piece := client.recv(65536):
            answers += piece
    assert answers.count(b"HTTP/1.1 ") == 1
    # hyper, under granian, reads the chunks and closes.
    assert int(answers[9:12]) == (422 if mock[0] == "granian" else 400)


def still_open(clients: list[socket.socket]) -> int:
    count = 0
    for client in clients:
        client.setblocking(False)
        try:
            client.recv(1)
        except BlockingIOError:
            count += 1
        except ConnectionError:
            pass
    return count


def test_connections_that_bring_nothing_give_way(mock: tuple[str, ServerProcess]) -> None:
    name, server = mock
    clients = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(MORE)]
    assert httpx.get(f"{server.url}/api/v1/healthz", timeout=60).status_code == 200
    most, end = MORE if name == "granian" else 20, time.monotonic() + 60
    while still_open(clients) > most and time.monotonic() < end:
        httpx.get(f"{server.url}/api/v1/healthz", timeout=60)
    assert still_open(clients) <= most
    for client in clients:
        client.close()
