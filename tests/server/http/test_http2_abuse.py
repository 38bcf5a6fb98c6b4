"""HTTP/2 clients that mean harm lose their connection; everybody else is served."""

import random
import socket
from collections.abc import Iterator
from contextlib import suppress

import h2.config
import h2.connection
import h2.errors
import h2.events
import h2.exceptions
import h2.settings
import httpx
import pytest

from tinker_mock.server.serving import crowd
from tinker_mock.server.serving.http2_frames import FREE_FRAMES, MOST_SETTINGS, PORTION, Frames
from tinker_mock.server.serving.http2_guard import FREE_RESETS
from tinker_mock.server.serving.http2_streams import CountedStreams
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

    def answers(self, wanted: int) -> int:
        """How many streams are answered, looked at until as many are; the connection is kept."""
        count = 0
        for event in self.events():
            assert not isinstance(event, h2.events.ConnectionTerminated)
            count += isinstance(event, h2.events.StreamEnded)
            if count == wanted:
                break
        return count

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
        for number in range(1200):
            client.ask(1 + 2 * number)
            if number % 3 == 0:
                client.wire.reset_stream(1 + 2 * number)
        client.flush()
        assert client.answers(800) == 800


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


def frame(kind: int, flags: int, stream: int, content: bytes = b"") -> bytes:
    head = len(content).to_bytes(3, "big") + bytes([kind, flags])
    return head + stream.to_bytes(4, "big") + content


PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
IDLE = {
    "ping": frame(6, 0, 0, b"12345678") * FREE_FRAMES * 2,
    "ping acknowledged": frame(6, 1, 0, b"12345678") * FREE_FRAMES * 2,
    "settings": frame(4, 0, 0, b"\0\4\0\0\x10\0") * MOST_SETTINGS * 2,
    "window": frame(8, 0, 0, b"\0\0\0\1") * FREE_FRAMES * 2,
    "priority": b"".join(frame(2, 0, 2 * n + 1, b"\0\0\0\0\1") for n in range(FREE_FRAMES * 2)),
    "chain": b"".join(
        frame(2, 0, 2 * n + 1, (2 * n - 1).to_bytes(4, "big") + b"\1") for n in range(1, 2000)
    ),
    "unknown": frame(99, 0, 0) * FREE_FRAMES * 2,
}


@pytest.mark.parametrize("kind", IDLE)
def test_frames_that_bring_nothing_end_the_connection(
    server: RunningServer, kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    with Client(server) as client:
        with suppress(OSError):
            client.socket.sendall(IDLE[kind])
        ends = [e for e in client.events() if isinstance(e, h2.events.ConnectionTerminated)]
        assert client.is_closed()
    # What was on its way when the server closed may have cost the client the goodbye.
    assert {end.error_code for end in ends} <= {h2.errors.ErrorCodes.ENHANCE_YOUR_CALM}
    assert healthy(server)
    assert "Traceback" not in caplog.text


def test_a_client_that_looks_after_its_connection_keeps_it(server: RunningServer) -> None:
    with Client(server) as client:
        for number in range(300):
            client.ask(1 + 2 * number)
            for _ in range(8):
                client.wire.ping(b"12345678")
        client.flush()
        assert client.answers(300) == 300


def test_a_body_that_was_refused_stops_no_other_stream(server: RunningServer) -> None:
    post = [("content-length", str(1 << 40)), ("x-api-key", "tml-a")]
    head = [(":method", "POST"), (":path", "/api/v1/create_session"), *HEAD[2:], *post]
    statuses = {}
    with Client(server) as client:
        client.wire.send_headers(1, head)
        client.flush()
        for event in client.events():
            if isinstance(event, h2.events.ResponseReceived):
                statuses[event.stream_id] = dict(event.headers)[b":status"]
            if statuses.keys() == {1}:
                for _ in range(60):
                    client.wire.send_data(1, b"x" * 300)
                client.ask(3)
                client.flush()
                statuses[2] = b"asked"
            if 3 in statuses:
                break
    assert (statuses[1], statuses[3]) == (b"413", b"200")


def test_one_connection_leaves_streams_for_others(
    server: RunningServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(crowd, "MOST_STREAMS", 40)
    with Client(server) as greedy, Client(server) as other:
        codes = h2.settings.SettingCodes
        greedy.wire.update_settings({codes.INITIAL_WINDOW_SIZE: 0})
        for number in range(60):
            greedy.ask(1 + 2 * number)
        greedy.flush()
        refused = 0
        for event in greedy.events():
            if isinstance(event, h2.events.StreamReset):
                assert event.error_code == h2.errors.ErrorCodes.REFUSED_STREAM
                refused += 1
            if refused == 40:
                break
        other.ask(1)
        other.flush()
        assert any(isinstance(event, h2.events.ResponseReceived) for event in first(other))
    assert healthy(server)


def first(client: Client) -> Iterator[h2.events.Event]:
    """Up to the first end of a stream."""
    for event in client.events():
        yield event
        if isinstance(event, h2.events.StreamEnded):
            return


def test_a_client_that_takes_no_answer_is_let_go() -> None:
    with RunningServer(Settings(port=0, read_timeout=1.0)) as server, Client(server) as client:
        codes = h2.settings.SettingCodes
        client.wire.update_settings({codes.INITIAL_WINDOW_SIZE: 0})
        for number in range(20):
            client.ask(1 + 2 * number)
        client.flush()
        list(client.events())  # fails by a timeout where it goes on
        assert client.is_closed()


def test_portions_are_the_same_bytes_in_few_frames() -> None:
    luck = random.Random(3)
    sizes = [luck.choice([0, 1, 8, 300, 20_000]) for _ in range(900)]
    whole = PREFACE + b"".join(frame(0, 0, 1, b"x" * size) for size in sizes)
    frames, place, told = Frames(), 0, b""
    while place < len(whole):
        size = luck.choice([1, 5, 9, 24, 1000, 65536])
        for portion in frames.portions(whole[place : place + size]):
            assert portion.count(b"\0\0\0\1") <= PORTION + 1  # the end of each frame's head
            told += portion
        place += size
    assert told == whole


def test_opening_a_stream_does_not_look_at_all_others(monkeypatch: pytest.MonkeyPatch) -> None:
    counted = 0
    count = vars(h2.connection.H2Connection)["open_inbound_streams"].fget

    def counting(connection: h2.connection.H2Connection) -> int:
        nonlocal counted
        counted += 1
        return int(count(connection))

    monkeypatch.setattr(h2.connection.H2Connection, "open_inbound_streams", property(counting))
    wire = CountedStreams(h2.config.H2Configuration(client_side=False, header_encoding=None))
    wire.local_settings = h2.settings.Settings(
        client=False, initial_values={h2.settings.SettingCodes.MAX_CONCURRENT_STREAMS: 5000}
    )
    wire.initiate_connection()
    client = h2.connection.H2Connection()
    client.initiate_connection()
    for number in range(4000):
        client.send_headers(1 + 2 * number, HEAD, end_stream=True)
        wire.receive_data(client.data_to_send())
    assert counted < 20
    for number in range(4000, 5100):
        client.send_headers(1 + 2 * number, HEAD, end_stream=True)
    with pytest.raises(h2.exceptions.TooManyStreamsError):
        wire.receive_data(client.data_to_send())
