"""Clients that hang up free their waiters; a server that goes down frees its clients."""

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import httpx
import pytest

from tests.server.faults.training_client import MODEL
from tinker_mock.server.serving.in_thread import RunningServer

HELD = "queue:\n  completion: [{manual: true}]"


def request_bytes(path: str, body: dict[str, Any]) -> bytes:
    content = json.dumps(body).encode()
    head = (
        f"POST /api/v1/{path} HTTP/1.1\r\nHost: mock\r\nX-API-Key: tml-parked\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(content)}\r\n\r\n"
    )
    return head.encode() + content


def held_promise(url: str) -> str:
    """Submit an operation that is completed by hand only."""
    with httpx.Client(base_url=url, headers={"X-API-Key": "tml-parked"}, timeout=60) as http:
        assert http.put("/_mock/scenario", json={"yaml": HELD}).status_code == 200
        told = {"tags": [], "user_metadata": {}, "sdk_version": "0.38.0"}
        session = http.post("/api/v1/create_session", json=told).json()["session_id"]
        body = {"session_id": session, "model_seq_id": 0, "base_model": MODEL}
        body["lora_config"] = {"rank": 4}
        return str(http.post("/api/v1/create_model", json=body).json()["request_id"])


def parked(url: str) -> int:
    return int(httpx.get(f"{url}/_mock/state", timeout=60).json()["parked"])


def hang_on(stack: ExitStack, port: int, request_id: str) -> socket.socket:
    client = stack.enter_context(socket.create_connection(("127.0.0.1", port), timeout=60))
    client.sendall(request_bytes("retrieve_future", {"request_id": request_id}))
    return client


def wait_until_parked(url: str, count: int) -> None:
    """Every look is an exchange of its own, so this does not spin without the server."""
    for _ in range(10_000):
        if parked(url) == count:
            return
    raise AssertionError(f"there were never {count} parked requests")


def test_a_cut_connection_frees_its_waiter(tinker_mock: RunningServer) -> None:
    url, request_id = tinker_mock.url, held_promise(tinker_mock.url)
    with ExitStack() as stack:
        clients = [hang_on(stack, tinker_mock.settings.port, request_id) for _ in range(5)]
        wait_until_parked(url, 5)
        for client in clients[:4]:
            client.close()
        query = {"verdict": "gone", "count": 4, "timeout": 60}
        gone = httpx.get(f"{url}/_mock/journal/wait", params=query, timeout=90)
        assert gone.json() == {"count": 4}
        assert parked(url) == 1
        httpx.post(f"{url}/_mock/promises/{request_id}/complete", timeout=60)
        assert clients[4].recv(4096).startswith(b"HTTP/1.1 200")


@pytest.fixture
def served() -> Iterator[tuple[subprocess.Popen[str], str]]:
    command = [sys.executable, "-m", "tinker_mock.server", "--port", "0", "--fail-on", "violation"]
    pipe = subprocess.PIPE
    process = subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True)
    assert process.stdout is not None
    yield process, process.stdout.readline().split()[-1]
    if process.poll() is None:
        process.kill()
    process.communicate()


def test_shutdown_ends_parked_polls_and_says_what_was_seen(
    served: tuple[subprocess.Popen[str], str],
) -> None:
    process, url = served
    request_id = held_promise(url)
    with ExitStack() as stack:
        port = int(url.rsplit(":", 1)[1])
        clients = [hang_on(stack, port, request_id) for _ in range(20)]
        stalled = stack.enter_context(socket.create_connection(("127.0.0.1", port), timeout=60))
        stalled.sendall(b"GET /api/v1/healthz HTTP/1.1\r\nHost: mock\r\n")
        stalled.sendall(b"X-Tinker-Mock-Effect: stall-1h\r\n\r\n")
        wait_until_parked(url, 21)
        os.kill(process.pid, signal.SIGINT)
        answers = [client.recv(4096) for client in [*clients, stalled]]
        _, told = process.communicate(timeout=60)
    assert process.returncode == 0
    assert {answer.split(b"\r\n")[0] for answer in answers} == {b"HTTP/1.1 503 "}
    assert "23 exchanges, 0 violations" in told
    assert "Traceback" not in told


def test_violations_become_the_exit_code(served: tuple[subprocess.Popen[str], str]) -> None:
    process, url = served
    with httpx.Client(base_url=url, headers={"X-API-Key": "tml-a"}, timeout=60) as http:
        assert http.post("/api/v1/asample", json={"seq_id": "x"}).status_code == 422
        assert http.get("/api/v1/helthz").status_code == 404
    process.send_signal(signal.SIGINT)
    _, told = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "client: asample: /" in told
    assert "client: GET /api/v1/helthz" in told
    assert "Traceback" not in told
