"""The connections of a server: so many at a time, and the one that is idle for longest gives way.

Every connection is an open file of the process. Without an end to them a client that opens
thousands takes away those that the server needs for everybody else.
"""

import asyncio

FILES_OF_OUR_OWN = 64
"""Open files that are left for everything else."""
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
    """Who is connected. Lives on the event loop."""

    def __init__(self, most: int) -> None:
        self.most = most
        self._all: set[asyncio.WriteTransport] = set()
        self._idle: dict[asyncio.WriteTransport, None] = {}
        """Those between two requests, idle for longest first."""

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
        self._idle[connection] = None
        return True

    def idle(self, connection: asyncio.WriteTransport) -> None:
        """It has nothing to do from now on."""
        if connection in self._all:
            self._idle.pop(connection, None)
            self._idle[connection] = None

    def busy(self, connection: asyncio.WriteTransport) -> None:
        """A request is under way."""
        self._idle.pop(connection, None)

    def leave(self, connection: asyncio.WriteTransport) -> None:
        """It has ended."""
        self._all.discard(connection)
        self._idle.pop(connection, None)

    def _make_room(self) -> bool:
        idlest = next(iter(self._idle), None)
        if idlest is None:
            return False
        self.leave(idlest)
        idlest.abort()
        return True
