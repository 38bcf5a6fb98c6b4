"""Bodies are read within bounds, and whoever goes beyond is told which and how to change it."""

import asyncio
import gzip
import json
import socket
import time
import zlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from tinker_mock.server.serving.in_thread import RunningServer
from tinker_mock.server.settings import Settings
from tinker_mock.server.wire.decompression import decompressed
from tinker_mock.server.wire.nesting import too_deep

MIB = 1 << 20
KEY = {"X-API-Key": "tml-a"}
JSON = {**KEY, "Content-Type": "application/json"}
SESSION = {"tags": [], "sdk_version": "0.38.0", "user_metadata": None}


@pytest.fixture(scope="module")
def server() -> Iterator[RunningServer]:
    with RunningServer(Settings(port=0, max_body=4, max_in_flight=64)) as running:
        yield running


@pytest.fixture
def http(server: RunningServer) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=server.url, headers=JSON, timeout=60) as client:
        yield client


def streamed_zstd(content: bytes) -> bytes:
    """A frame that does not say how large its content is."""
    source = zstandard.ZstdCompressor().compressobj()
    return source.compress(content) + source.flush()


CODINGS = {
    "gzip": gzip.compress,
    "deflate": zlib.compress,
    "zstd": zstandard.ZstdCompressor().compress,
    "zstd-streamed": streamed_zstd,
}


def send(http: httpx.Client, content: bytes, coding: str = "identity") -> httpx.Response:
    headers = {"Content-Encoding": coding.partition("-")[0]}
    return http.post("/api/v1/create_session", content=content, headers=headers)


def eventually(server: RunningServer, true: Callable[[], bool]) -> bool:
    """Whether it comes true; between two looks the server has a turn."""

    async def turn() -> None:
        await asyncio.sleep(0)

    end = time.monotonic() + 60
    while not true() and time.monotonic() < end:
        server.call(turn())
    return true()


def cut_off(client: socket.socket, content: bytes) -> bool:
    """Whether the connection is over: it takes nothing more."""
    try:
        client.sendall(content)
    except ConnectionError:
        return True
    return False


def named(answer: httpx.Response) -> str:
    return str(answer.json()["detail"])


@pytest.mark.parametrize("coding", CODINGS)
def test_every_coding_is_read(http: httpx.Client, coding: str) -> None:
    for padding in (0, 300_000, 2 * MIB):
        body = json.dumps({**SESSION, "x": "y" * padding}).encode()
        answer = send(http, CODINGS[coding](body), coding)
        assert answer.status_code == 200, answer.text


@pytest.mark.parametrize("coding", CODINGS)
def test_bombs_are_too_large(server: RunningServer, http: httpx.Client, coding: str) -> None:
    bomb = CODINGS[coding](b" " * (64 * MIB))
    assert len(bomb) < MIB
    answer = send(http, bomb, coding)
    assert (answer.status_code, "--max-body" in named(answer)) == (413, True)
    assert eventually(server, lambda: server.mock.endpoint.intake.held == 0)


@pytest.mark.parametrize("coding", CODINGS)
@pytest.mark.parametrize("damage", ["cut", "garbage", "followed"])
def test_damaged_bodies_are_refused(http: httpx.Client, coding: str, damage: str) -> None:
    whole = CODINGS[coding](json.dumps(SESSION).encode() * 20)
    content = {"cut": whole[:-6], "garbage": b"\x00" * 50, "followed": whole + b"more"}[damage]
    answer = send(http, content, coding)
    assert answer.status_code == 400
    assert answer.json()["error"]["field"] == "header:Content-Encoding"


def test_a_header_that_promises_a_terabyte_is_refused(http: httpx.Client) -> None:
    lie = b"\x28\xb5\x2f\xfd\xe0" + (10**12).to_bytes(8, "little") + b"\x01\x00\x00"
    assert send(http, lie, "zstd").status_code == 400


def test_two_members_of_gzip_are_one_body(http: httpx.Client) -> None:
    half = json.dumps(SESSION).encode()
    assert send(http, gzip.compress(half[:9]) + gzip.compress(half[9:]), "gzip").status_code == 200


@given(st.binary(max_size=5000), st.sampled_from(sorted(CODINGS)))
def test_decompression_gives_back_what_was_compressed(content: bytes, coding: str) -> None:
    sizes: list[int] = []

    def hold(piece: int, size: int) -> None:
        sizes.append(piece)
        assert sum(sizes) == size

    packed = CODINGS[coding](content)
    assert decompressed(packed, coding.partition("-")[0], hold) == content


def test_a_declared_length_is_refused_before_it_is_sent(server: RunningServer) -> None:
    with socket.create_connection(("127.0.0.1", server.settings.port), timeout=60) as client:
        client.sendall(
            b"POST /api/v1/create_session HTTP/1.1\r\nhost: localhost\r\nx-api-key: tml-a\r\n"
            b"content-type: application/json\r\ncontent-length: 99999999999\r\n\r\n"
        )
        assert client.recv(4096).startswith(b"HTTP/1.1 413")


def test_a_body_that_does_not_come_is_given_up() -> None:
    with (
        RunningServer(Settings(port=0, read_timeout=0.1)) as server,
        socket.create_connection(("127.0.0.1", server.settings.port), timeout=60) as client,
    ):
        client.sendall(
            b"POST /api/v1/create_session HTTP/1.1\r\nhost: localhost\r\nx-api-key: tml-a\r\n"
            b"content-type: application/json\r\ncontent-length: 100\r\n\r\n{"
        )
        answer = b""
        while piece := client.recv(65536):
            answer += piece
    assert answer.startswith(b"HTTP/1.1 408")
    assert b"--read-timeout" in answer


def test_a_client_that_does_not_take_its_answer_is_cut_off() -> None:
    with RunningServer(Settings(port=0, read_timeout=0.1)) as server:
        with httpx.Client(base_url=server.url, headers=KEY) as http:
            for _ in range(8):
                padded = {"X-Long": "y" * 15_000}
                http.get("/api/v1/healthz", headers=padded)
        with socket.create_connection(("127.0.0.1", server.settings.port), timeout=60) as client:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            asked = b"GET /_mock/journal HTTP/1.1\r\nhost: localhost\r\n\r\n"
            client.sendall(asked * 40)  # and nothing of the answers is read
            assert eventually(server, lambda: cut_off(client, asked))
        assert httpx.get(f"{server.url}/api/v1/healthz").status_code == 200


def test_all_bodies_together_are_bounded() -> None:
    """Bodies that wait for their last byte hold their memory; one more finds no room."""
    with RunningServer(Settings(port=0, max_body=2, max_in_flight=3)) as server:
        waiting = []
        for _ in range(2):
            client = socket.create_connection(("127.0.0.1", server.settings.port), timeout=60)
            waiting.append(client)
            client.sendall(
                b"POST /api/v1/create_session HTTP/1.1\r\nhost: localhost\r\nx-api-key: tml-a\r\n"
                b"content-type: application/json\r\ncontent-length: 1500000\r\n\r\n"
                + b" "
                * 1_400_000
            )
        intake = server.mock.endpoint.intake
        assert eventually(server, lambda: intake.held >= 2_800_000)
        with httpx.Client(base_url=server.url, headers=JSON, timeout=60) as http:
            answer = send(http, json.dumps({**SESSION, "x": "y" * 600_000}).encode())
            assert (answer.status_code, answer.headers["retry-after"]) == (429, "1")
            assert "--max-in-flight" in named(answer)
            for client in waiting:
                client.close()
            assert eventually(server, lambda: not intake.held)
            assert send(http, json.dumps(SESSION).encode()).status_code == 200
        assert eventually(server, lambda: not intake.held)


# --- nesting and values ---------------------------------------------------------------------------


def nested(levels: int) -> bytes:
    """A session request whose unknown field makes it so many levels deep."""
    inner = b"[" * (levels - 1) + b"]" * (levels - 1)
    return json.dumps(SESSION).encode()[:-1] + b', "x": ' + inner + b"}"


@pytest.mark.parametrize("levels", [2, 100, 128, 129, 200, 253, 254, 400, 1023, 1025, 100_000])
def test_nesting_has_one_limit_and_the_journal_lives(http: httpx.Client, levels: int) -> None:
    answer = send(http, nested(levels))
    assert answer.status_code == (200 if levels <= 128 else 400)
    if levels > 128:
        assert "128" in named(answer)
    for path in ("journal", "journal/count", "journal/summary"):
        assert http.get(f"/_mock/{path}").status_code == 200
    for form in ("har", "jsonl", "cassette"):
        exported = http.get("/_mock/journal/export", params={"format": form})
        assert exported.status_code == 200


values = st.recursive(
    st.sampled_from([1, None, "a[{]", '\\"[', "]]}}", "\\", '"']),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text('[]{}"\\a'), inner),
    max_leaves=40,
)


def levels_of(value: Any) -> int:
    if isinstance(value, dict):
        return 1 + max(map(levels_of, value.values()), default=0)
    if isinstance(value, list):
        return 1 + max(map(levels_of, value), default=0)
    return 0


@given(values, st.integers(0, 8))
def test_levels_are_counted_outside_of_texts(value: Any, limit: int) -> None:
    content = json.dumps(value, ensure_ascii=False).encode()
    assert too_deep(content, limit) == (levels_of(value) > limit)


def test_values_are_bounded_whatever_their_size_on_the_wire() -> None:
    with (
        RunningServer(Settings(port=0)) as server,
        httpx.Client(base_url=server.url, headers=JSON, timeout=60) as http,
    ):
        body = json.dumps(SESSION).encode()[:-1] + b', "x": [' + b"{}," * (1 << 21) + b"{}]}"
        answer = send(http, body)
        assert (answer.status_code, "2097152 values" in named(answer)) == (400, True)


# --- other ways in --------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/api/v1/healthz", "/_mock/healthz", "/nothing"])
def test_an_upgrade_to_websocket_is_refused(server: RunningServer, path: str) -> None:
    with socket.create_connection(("127.0.0.1", server.settings.port), timeout=60) as client:
        client.sendall(
            f"GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: upgrade\r\n"
            "upgrade: websocket\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
            "sec-websocket-version: 13\r\n\r\n".encode()
        )
        assert client.recv(4096).startswith(b"HTTP/1.1 403")


def test_many_idle_and_half_open_connections_stop_nobody(server: RunningServer) -> None:
    def connected(number: int) -> socket.socket:
        client = socket.create_connection(("127.0.0.1", server.settings.port), timeout=60)
        if number % 2:
            client.sendall(b"POST /api/v1/create_session HTTP/1.1\r\nhost: loc")
        return client

    with ThreadPoolExecutor(8) as pool:
        clients = list(pool.map(connected, range(400)))
    try:
        assert httpx.get(f"{server.url}/api/v1/healthz", timeout=60).status_code == 200
    finally:
        for client in clients:
            client.close()
