"""What an HTTP/2 client sends, cut into portions of whole frames.

A read of 64 KiB may hold thousands of frames, which would all be done at once, and most of them
cost the server more than the client. So others go first between two portions, and frames that
bring neither a request nor content are counted: whoever sends more of them than its requests and
their answers account for loses the connection.
"""

from collections.abc import Iterator

from tinker_mock.server.clock import machine_seconds

PREFACE = 24
"""Bytes before a client's first frame."""
HEAD = 9
"""Bytes before a frame's payload."""
PORTION = 16
"""Frames that are done at a time."""
DATA, HEADERS, SETTINGS = 0x0, 0x1, 0x4
ACKNOWLEDGED = 0x1
LITTLE = 256
"""Bytes of content from which on a frame is worth its cost."""
FREE_FRAMES = 1000
MOST_SETTINGS = 100
"""Of a connection: each may change the windows of all its streams."""
A_SECOND, A_REQUEST, SENT_FOR_ONE = 10, 10, 64
"""Frames that come with time and with requests, and the bytes of answers that allow one more."""


class TooManyFrames(Exception):
    """The client keeps the server busy for nothing."""


class Frames:
    """Of one connection."""

    def __init__(self) -> None:
        self._left = PREFACE
        self._rest = b""
        self._begun = machine_seconds()
        self._idle = self._settings = self._requests = self._sent = 0

    def sent(self, size: int) -> None:
        """So many bytes went to the client."""
        self._sent += size

    def portions(self, data: bytes) -> Iterator[bytes]:
        """The same bytes, some frames at a time; the head of a frame is kept until it is whole.

        Raises TooManyFrames.
        """
        data = self._rest + data
        begin, place, count = 0, min(self._left, len(data)), 0
        self._left -= place
        while not self._left and len(data) - place >= HEAD:
            if count == PORTION:
                yield data[begin:place]
                begin, count = place, 0
            size = int.from_bytes(data[place : place + 3], "big")
            self._weigh(data[place + 3], data[place + 4], size)
            end = min(place + HEAD + size, len(data))
            self._left = place + HEAD + size - end
            place, count = end, count + 1
        self._rest = data[place:]
        if place > begin:
            yield data[begin:place]

    def _weigh(self, kind: int, flags: int, size: int) -> None:
        if kind == HEADERS:
            self._requests += 1
        elif kind != DATA or size < LITTLE:
            self._idle += 1
        self._settings += kind == SETTINGS and not flags & ACKNOWLEDGED
        if self._settings > MOST_SETTINGS or (
            self._idle > FREE_FRAMES and self._idle > self._allowed()
        ):
            raise TooManyFrames

    def _allowed(self) -> float:
        seconds = machine_seconds() - self._begun
        earned = self._requests * A_REQUEST + self._sent // SENT_FOR_ONE
        return FREE_FRAMES + earned + seconds * A_SECOND
