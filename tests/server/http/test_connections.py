"""Connections come to an end: the idlest gives way, and a crowd at work is told so."""

import socket
from collections.abc import Iterator
from contextlib import ExitStack, suppress

import httpx
import pytest

from tests.server.conftest import Api, training_step
from tinker_mock.server.serving.in_thread import RunningServer
from tinker_mock.server.settings import Settings

MOST = 50
ASKED = b"GET /api/v1/healthz HTTP/1.1\r\nhost: localhost\r\n\r\n"


@pytest.fixture
def server() -> Iterator[RunningServer]:
    with RunningServer(Settings(port=0, max_connections=MOST, clock="manual")) as running:
        yield running


def connected(server: RunningServer) -> socket.socket:
    return socket.create_connection(("127.0.0.1", server.settings.port), timeout=60)


def ask(connection: socket.socket) -> bytes:
    connection.sendall(ASKED)
    return connection.recv(65536)


def ended(connection: socket.socket) -> bool:
    """Once what came before is read; fails by a timeout where it goes on."""
    try:
        while connection.recv(65536):
            pass
    except ConnectionError:
        pass
    return True


def test_the_connection_that_is_idle_for_longest_gives_way(server: RunningServer) -> None:
    with ExitStack() as stack:
        first = stack.enter_context(connected(server))
        assert ask(first).startswith(b"HTTP/1.1 200")
        crowd = [stack.enter_context(connected(server)) for _ in range(MOST * 4)]
        assert ask(crowd[-1]).startswith(b"HTTP/1.1 200")
        assert ended(first)
        assert httpx.get(f"{server.url}/api/v1/healthz", timeout=60).status_code == 200


def test_a_crowd_at_work_is_left_alone_and_the_next_one_told(server: RunningServer) -> None:
    api = Api(server, "tml-crowd")
    with api.http, ExitStack() as stack:
        model = api.model()
        late = api.submit("forward_backward", training_step(model, 2))  # waits for the first
        body = b'{"request_id":"%s"}' % late.encode()
        head = b"POST /api/v1/retrieve_future HTTP/1.1\r\nhost: localhost\r\n"
        head += b"x-api-key: tml-crowd\r\ncontent-type: application/json\r\n"
        poll = head + b"content-length: %d\r\n\r\n" % len(body) + body
        for _ in range(MOST - 1):
            parked = stack.enter_context(connected(server))
            parked.sendall(poll)
        while len(server.mock.control.parked) < MOST - 1:
            assert api.get("healthz").status_code == 200
        api.http.close()
        last = stack.enter_context(connected(server))
        last.sendall(poll)
        while len(server.mock.control.parked) < MOST:
            pass
        with connected(server) as refused:
            said = refused.recv(65536)
        assert said.startswith(b"HTTP/1.1 429 ")
        assert b"--max-connections" in said


def deaf(server: RunningServer) -> socket.socket:
    """A client that asks on and on and reads nothing, up to where it cannot send any more."""
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    client.connect(("127.0.0.1", server.settings.port))
    client.settimeout(1)
    with suppress(TimeoutError, ConnectionError):
        for _ in range(5000):
            client.sendall(ASKED * 200)
    client.settimeout(60)
    return client


def test_a_client_that_takes_no_answers_is_let_go() -> None:
    with RunningServer(Settings(port=0, read_timeout=1.0)) as server, deaf(server) as client:
        assert httpx.get(f"{server.url}/api/v1/healthz", timeout=60).status_code == 200
        with pytest.raises(ConnectionError):
            client.sendall(bytes(1 << 24))


def test_many_requests_at_once_are_answered_in_turn_with_others(server: RunningServer) -> None:
    """A connection that has sent 400 requests does not go first with all of them."""
    with connected(server) as many, connected(server) as one:
        many.sendall(ASKED * 400)
        answers = many.recv(1)
        begun = asked(server)
        assert ask(one).startswith(b"HTTP/1.1 200")
        assert asked(server) - begun < 400
        while answers.count(b"HTTP/1.1 200") < 400:
            answers += many.recv(65536)


def asked(server: RunningServer) -> int:
    return sum(one.operation == "healthz" for one in server.mock.journal.entries)
