"""Requests of the usual kind are read as h11 reads them, and answered as Hypercorn answers them."""

import random
import socket
from collections.abc import Iterator
from typing import Any

import h11
import pytest

from tinker_mock.server.serving.in_thread import RunningServer
from tinker_mock.server.serving.request_heads import read_head

LINES = [
    b"Host: a",
    b"host:b",
    b"X-Token:  two words ",
    b"x-token: \t",
    b"Content-Length: 3",
    b"content-length: 4",
    b"content-length: 3, 3",
    b"content-length: +3",
    b"content-length:",
    b"Transfer-Encoding: chunked",
    b" folded",
    b"\tfolded too",
    b"no colon",
    b"space : before",
    b": no name",
    b"nul: \x00",
    b"bell: \x07",
    b"high: \xff",
    b"bare: a\nb",
    b"Connection: close",
    b"Connection: Keep-Alive",
    b"Upgrade: h2c",
    b"Expect: 100-continue",
    b"long: " + b"x" * 300,
]
FIRST = [b"POST /x HTTP/1.1"] * 8 + [
    b"GET /a?b HTTP/1.1",
    b"GET * HTTP/1.1",
    b"GET /x HTTP/1.0",
    b"HEAD /x HTTP/1.1",
    b"get /x HTTP/1.1",
    b"GET  /x HTTP/1.1",
    b"GET http://b/x HTTP/1.1",
]
HEALTH = b"GET /api/v1/healthz HTTP/1.1\r\nhost: a\r\n%b\r\n"
SLOW = b"accept: */*\r\nte: trailers\r\n"
"""Fields that leave a request to Hypercorn."""


def by_h11(head: bytes) -> h11.Request | None:
    """What h11 makes of a request; None for one that it refuses."""
    connection = h11.Connection(h11.SERVER)
    connection.receive_data(head)
    try:
        event = connection.next_event()
    except h11.RemoteProtocolError:
        return None
    return event if isinstance(event, h11.Request) else None


def drawn(count: int) -> Iterator[list[bytes]]:
    chance = random.Random(7)
    for _ in range(count):
        lines = [LINES[0], *chance.choices(LINES, k=chance.randrange(5))]
        chance.shuffle(lines)
        yield [chance.choice(FIRST), *lines]


def test_a_head_that_is_read_is_what_h11_reads() -> None:
    read = 0
    for lines in [*drawn(3000), *drawn(3000)]:  # the second time every line is known
        found = read_head(lines)
        if found is None:
            continue
        read += 1
        event = by_h11(b"\r\n".join(lines) + b"\r\n\r\n")
        assert event is not None
        assert (found.method.encode(), found.target) == (event.method, event.target)
        assert found.fields == list(event.headers)
        lengths = [value for name, value in event.headers if name == b"content-length"]
        assert found.length == int(lengths[0] if lengths else 0)
        others = {name for name, _ in event.headers}
        assert not others & {b"transfer-encoding", b"upgrade", b"expect"}
        assert b"close" not in [v for name, v in event.headers if name == b"connection"]
    assert read > 500


@pytest.fixture(scope="module")
def server() -> Iterator[RunningServer]:
    with RunningServer() as running:
        yield running


class Line:
    """A connection that is read answer by answer."""

    def __init__(self, server: RunningServer) -> None:
        address = server.url.removeprefix("http://").split(":")
        self.socket = socket.create_connection((address[0], int(address[1])), 30)
        self.client = h11.Connection(h11.CLIENT)

    def __enter__(self) -> "Line":
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def answer(self, method: str = "GET") -> tuple[int, dict[bytes, bytes], bytes]:
        """The next answer."""
        if self.client.our_state is h11.DONE:
            self.client.start_next_cycle()
        self.client.send(h11.Request(method=method, target="/", headers=[("host", "a")]))
        self.client.send(h11.EndOfMessage())
        status, fields, content = 0, {}, b""
        while True:
            event: Any = self.client.next_event()
            if event is h11.NEED_DATA:
                self.client.receive_data(self.socket.recv(65536))
            elif isinstance(event, h11.Response):
                status, fields = event.status_code, dict(event.headers)
            elif isinstance(event, h11.Data):
                content += bytes(event.data)
            elif isinstance(event, h11.EndOfMessage):
                return status, fields, content
            else:
                raise AssertionError(event)


def test_both_ways_give_the_same_answer(server: RunningServer) -> None:
    with Line(server) as short, Line(server) as long:
        for line, more in ((short, b""), (long, SLOW)):
            line.socket.sendall(HEALTH % more)
        ours, theirs = short.answer(), long.answer()
    assert ours[0] == 200
    assert ours[2] == theirs[2]
    assert list(ours[1]) == list(theirs[1])


def test_a_connection_changes_its_way_between_requests(server: RunningServer) -> None:
    with Line(server) as line:
        line.socket.sendall(HEALTH % b"" + HEALTH % SLOW + HEALTH % b"")  # all at once
        assert [line.answer()[0] for _ in range(3)] == [200, 200, 200]


def test_a_request_that_comes_in_pieces_is_answered(server: RunningServer) -> None:
    body = b'{"model_id":"none","seq_id":1,"adam_params":{}}'
    head = b"POST /api/v1/optim_step HTTP/1.1\r\nhost: a\r\nx-api-key: tml-a\r\n"
    head += b"content-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(body)
    for cut in (10, len(head) - 2, len(head), len(head) + 5):
        with Line(server) as line:
            line.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            whole = head + body
            line.socket.sendall(whole[:cut])
            server.call(_turns())
            line.socket.sendall(whole[cut:])
            status, _, content = line.answer("POST")
            assert status == 404
            assert b"none" in content


async def _turns() -> None:
    """The server has had time to read what was sent."""


def test_a_body_that_is_not_read_ends_the_connection(server: RunningServer) -> None:
    head = b"POST /api/v1/optim_step HTTP/1.1\r\nhost: a\r\nx-api-key: tml-a\r\n"
    head += b"content-type: application/json\r\ncontent-length: %d\r\n\r\n" % (1 << 40)
    with Line(server) as line:
        line.socket.sendall(head)
        assert line.answer("POST")[0] == 413
        assert line.socket.recv(1) == b""
