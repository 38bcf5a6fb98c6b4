"""A server that is told to stop does, whatever its clients are in the middle of."""

import socket
import time
from collections.abc import Callable
from contextlib import ExitStack

import httpx
import pytest

from tests.server.commands import ServerProcess, served_process

SOON = 8.0
"""Seconds, on a busy machine; without an end in sight it would be a minute."""


def sent(server: ServerProcess, request: bytes) -> socket.socket:
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
    client.connect(("127.0.0.1", server.port))
    client.sendall(request)
    return client


def half_a_body(server: ServerProcess) -> socket.socket:
    return sent(
        server,
        b"POST /api/v1/create_session HTTP/1.1\r\nhost: localhost\r\nx-api-key: tml-a\r\n"
        b"content-type: application/json\r\ncontent-length: 1000\r\n\r\n{",
    )


def an_answer_held_back(server: ServerProcess) -> socket.socket:
    return sent(
        server,
        b"GET /api/v1/healthz HTTP/1.1\r\nhost: localhost\r\nx-tinker-mock-effect: hold-1h\r\n\r\n",
    )


def an_answer_not_taken(server: ServerProcess) -> socket.socket:
    with httpx.Client(base_url=server.url, headers={"X-API-Key": "tml-a"}) as http:
        for _ in range(30):
            body = {"request_id": "none", "more": "x" * 900_000}
            assert http.post("/api/v1/retrieve_future", json=body).status_code == 404
    client = sent(server, b"GET /_mock/journal HTTP/1.1\r\nhost: localhost\r\n\r\n")
    assert client.recv(1) == b"H"
    return client


@pytest.mark.parametrize("kind", [half_a_body, an_answer_held_back, an_answer_not_taken])
@pytest.mark.parametrize("name", ["hypercorn", "uvicorn"])
def test_no_client_keeps_a_server_from_its_end(
    name: str, kind: Callable[[ServerProcess], socket.socket]
) -> None:
    pytest.importorskip(name)
    with ExitStack() as clients, served_process("--server", name) as server:
        clients.enter_context(kind(server))
        assert httpx.get(f"{server.url}/api/v1/healthz", timeout=60).status_code == 200
        ending = time.monotonic()
    assert time.monotonic() - ending < SOON
