"""Streams of an HTTP/2 connection, at a cost that does not grow with their number.

A training loop parks thousands of polls on one connection. h2 looks at all streams when one is
opened, and the tree of priorities at all that have nothing to send whenever one has.
"""

from collections import OrderedDict
from typing import Any

from h2.connection import H2Connection
from priority.priority import DeadlockError, DuplicateStreamError, MissingStreamError

UNCOUNTED = 64
"""Streams that may be opened until they are counted again."""


class CountedStreams(H2Connection):
    """Counts its open streams anew when as many were opened as there were.

    In between, those that have ended count as open; at the limit they are counted each time.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._counted = self._since = 0

    @property
    def open_inbound_streams(self) -> int:
        self._since += 1
        most = self.local_settings.max_concurrent_streams
        if self._since > max(UNCOUNTED, self._counted) or self._counted + self._since >= most:
            self._counted, self._since = super().open_inbound_streams, 0
        return self._counted + self._since


class Turns:
    """Streams that have something to send, one after the other; what Hypercorn asks of a tree of
    priorities, which HTTP/2 has given up (RFC 9113, 5.3)."""

    def __init__(self) -> None:
        self._known: set[int] = set()
        self._ready: OrderedDict[int, None] = OrderedDict()

    def __next__(self) -> int:
        """The stream whose turn it is. Raises DeadlockError when none has anything to send."""
        if not self._ready:
            raise DeadlockError
        stream = next(iter(self._ready))
        self._ready.move_to_end(stream)
        return stream

    def insert_stream(self, stream_id: int) -> None:
        if stream_id in self._known:
            raise DuplicateStreamError
        self._known.add(stream_id)
        self._ready[stream_id] = None

    def block(self, stream_id: int) -> None:
        """It has nothing to send."""
        self._find(stream_id)
        self._ready.pop(stream_id, None)

    def unblock(self, stream_id: int) -> None:
        """It has something to send again."""
        self._find(stream_id)
        self._ready.setdefault(stream_id, None)

    def remove_stream(self, stream_id: int) -> None:
        self._find(stream_id)
        self._known.remove(stream_id)
        self._ready.pop(stream_id, None)

    def _find(self, stream_id: int) -> None:
        if stream_id not in self._known:
            raise MissingStreamError
