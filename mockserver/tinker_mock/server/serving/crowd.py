"""The connections of a server: so many at a time, and the one that is idle for longest gives way.

Every connection is an open file of the process. Without an end to them a client that opens
thousands takes away those that the server needs for everybody else.
"""

import asyncio

from tinker_mock.server.clock import machine_seconds, machine_timer

FILES_OF_OUR_OWN = 64
"""Open files that are left for everything else."""
MOST_STREAMS = 20_000
"""Of all HTTP/2 connections: a stream takes about 15 KiB."""
PATIENCE = 75.0
"""Seconds that a connection may be idle."""
REFUSAL = (
    b"HTTP/1.1 429 Too Many Requests\r\nretry-after: 1\r\nconnection: close\r\n"
    b"content-type: application/json\r\ncontent-length: %d\r\n\r\n%s"
)


def allowed(most: int) -> int:
    """So many, or what the operating system leaves to the process."""
    try:
        import resource
    except ImportError:  # not on Windows
        return most
    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if files == resource.RLIM_INFINITY:
        return most
    return max(1, min(most, files - FILES_OF_OUR_OWN))


class Crowd:
    """Who is connected. Lives on the event loop.

    One timer looks after all that are idle: a task for each would cost every connection.
    """

    def __init__(self, most: int, patience: float = PATIENCE) -> None:
        self.most = most
        self.patience = patience
        self._all: set[asyncio.WriteTransport] = set()
        self._idle: dict[asyncio.WriteTransport, float] = {}
        """Those between two requests and since when, idle for longest first."""
        self._looking = False
        self._closed = False
        self.streams = 0
        """Requests under way on HTTP/2 connections."""

    def __len__(self) -> int:
        return len(self._all)

    def enter(self, connection: asyncio.WriteTransport) -> bool:
        """Let one in, idle at first; False, and a refusal to it, when all others are at work."""
        if len(self._all) >= self.most and not self._make_room():
            said = (
                f'{{"detail":"connections: all {self.most} of this server are at work; '
                'wait, or serve with a greater --max-connections"}'
            ).encode()
            connection.write(REFUSAL % (len(said), said))
            connection.close()
            return False
        self._all.add(connection)
        self.idle(connection)
        return True

    def idle(self, connection: asyncio.WriteTransport) -> None:
        """It has nothing to do from now on."""
        if connection not in self._all:
            return
        self._idle.pop(connection, None)
        self._idle[connection] = machine_seconds()
        if self._closed:
            connection.close()
        elif not self._looking:
            self._look_after(self.patience)

    def busy(self, connection: asyncio.WriteTransport) -> None:
        """A request is under way."""
        self._idle.pop(connection, None)

    def leave(self, connection: asyncio.WriteTransport) -> None:
        """It has ended."""
        self._all.discard(connection)
        self._idle.pop(connection, None)

    def room_for_streams(self) -> int:
        """Streams that one HTTP/2 connection may have: no more than are left for all others."""
        return MOST_STREAMS - self.streams

    def close(self, patience: float) -> None:
        """The server goes down: who is idle ends now, the others with their answer or after so
        many seconds. From Python 3.12 on a server waits for every connection before it ends."""
        self._closed = True
        for connection in self._idle:
            connection.close()
        machine_timer(patience, self._cut)

    def _cut(self) -> None:
        for connection in list(self._all):
            connection.abort()

    def _look_after(self, seconds: float) -> None:
        self._looking = True
        machine_timer(seconds, self._look)

    def _look(self) -> None:
        """End those that were idle for too long."""
        self._looking = False
        now = machine_seconds()
        for connection, since in list(self._idle.items()):
            if since + self.patience > now:
                self._look_after(since + self.patience - now)
                return
            del self._idle[connection]
            connection.close()

    def _make_room(self) -> bool:
        idlest = next(iter(self._idle), None)
        if idlest is None:
            return False
        self.leave(idlest)
        idlest.abort()
        return True
