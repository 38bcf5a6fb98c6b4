"""HTTP/2 clients that mean harm lose their connection; everybody else is served."""

import random
import socket
from collections.abc import Iterator
from contextlib import suppress

import h2.config
import h2.connection
import h2.events
import h2.exceptions
import h2.settings
import httpx
import pytest

from tinker_mock.server.serving.http2_guard import FREE_RESETS
from tinker_mock.server.serving.in_thread import RunningServer
from tinker_mock.server.settings import Settings

HEAD = [
    (":method", "GET"),
    (":path", "/api/v1/healthz"),
    (":scheme", "http"),
    (":authority", "localhost"),
]


@pytest.fixture(scope="module")
def server() -> Iterator[RunningServer]:
    with RunningServer(Settings(port=0)) as running:
        yield running


class Client:
    """A connection with knowledge of HTTP/2, and without manners."""

    def __init__(self, server: RunningServer) -> None:
        self.socket = socket.create_connection(("127.0.0.1", server.settings.port), timeout=60)
        loose = h2.config.H2Configuration(
            validate_outbound_headers=False, normalize_outbound_headers=False
        )
        self.wire = h2.connection.H2Connection(loose)
        self.wire.initiate_connection()
        self.flush()

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def flush(self) -> None:
        self.socket.sendall(self.wire.data_to_send())

    def ask(self, stream: int, head: list[tuple[str, str]] = HEAD) -> None:
        self.wire.send_headers(stream, head, end_stream=True)

    def events(self) -> Iterator[h2.events.Event]:
        """Until the server closes the connection."""
        with suppress(OSError):
            while piece := self.socket.recv(65536):
                yield from self.wire.receive_data(piece)
                self.flush()

    def finish(self) -> None:
        """Say no more, and read to the end."""
        with suppress(OSError):
            self.socket.shutdown(socket.SHUT_WR)
            while self.socket.recv(65536):
                pass

    def is_closed(self) -> bool:
        """Whether the server has ended it; what it sent before is thrown away."""
        self.socket.setblocking(False)
        try:
            while self.socket.recv(65536):
                pass
        except BlockingIOError:
            return False
        except OSError:
            return True
        finally:
            self.socket.setblocking(True)
        return True


def healthy(server: RunningServer) -> bool:
    return httpx.get(f"{server.url}/api/v1/healthz", timeout=60).status_code == 200


def answered(server: RunningServer) -> int:
    """How many of 1,500 polite requests on one connection get an answer."""
    with Client(server) as client:
        for number in range(1500):
            client.ask(1 + 2 * number)
        client.flush()
        count = 0
        for event in client.events():
            count += isinstance(event, h2.events.ResponseReceived)
            if count == 1500:
                break
    return count


def test_many_streams_on_one_connection_are_served(server: RunningServer) -> None:
    assert answered(server) == 1500


def test_rapid_resets_end_the_connection(server: RunningServer) -> None:
    with Client(server) as client:
        with suppress(OSError):
            for number in range(FREE_RESETS * 4):
                client.ask(1 + 2 * number)
                client.wire.reset_stream(1 + 2 * number)
                client.flush()
        list(client.events())
        assert client.is_closed()
    assert healthy(server)


def test_cancelled_polls_are_no_abuse(server: RunningServer) -> None:
    """A client that answers most of its streams may take back many."""
    with Client(server) as client:
        answers = 0
        for number in range(1200):
            client.ask(1 + 2 * number)
            if number % 3 == 0:
                client.wire.reset_stream(1 + 2 * number)
        client.flush()
        for event in client.events():
            assert not isinstance(event, h2.events.ConnectionTerminated)
            answers += isinstance(event, h2.events.StreamEnded)
            if answers == 800:
                break
    assert answers == 800


def test_a_closed_window_holds_nobody_up(server: RunningServer) -> None:
    with Client(server) as client:
        codes = h2.settings.SettingCodes
        client.wire.update_settings({codes.INITIAL_WINDOW_SIZE: 0})
        for number in range(300):
            client.ask(1 + 2 * number)
        client.flush()
        assert healthy(server)


def test_odd_heads_break_nothing(server: RunningServer, caplog: pytest.LogCaptureFixture) -> None:
    heads = [
        [(":method", "GET")],
        [(":path", "/")],
        [(":method", "CONNECT"), (":authority", "x")],
        [*HEAD[1:], (":method", "CONNECT"), (":protocol", "websocket")],
        [*HEAD, ("content-length", "5")],
        [(":method", "\xff"), *HEAD[1:]],
        [*HEAD, ("x" * 200, "y" * 60_000)],
    ]
    for head in heads:
        with Client(server) as client:
            client.ask(1, head)
            client.flush()
            client.socket.shutdown(socket.SHUT_WR)
            for event in client.events():
                if isinstance(event, h2.events.ResponseReceived):
                    status = dict(event.headers)[b":status"]
                    assert int(status) < 500
    assert healthy(server)
    assert "Traceback" not in caplog.text


def test_random_frames_break_nothing(server: RunningServer) -> None:
    luck = random.Random(5)
    for _ in range(150):
        with Client(server) as client:
            for _ in range(luck.randrange(1, 6)):
                size = luck.randrange(60)
                head = bytes([luck.randrange(12), luck.randrange(256)])
                stream = luck.randrange(9).to_bytes(4, "big")
                frame = size.to_bytes(3, "big") + head + stream + luck.randbytes(size)
                with suppress(OSError):
                    client.socket.sendall(frame)
            client.finish()
    assert healthy(server)
