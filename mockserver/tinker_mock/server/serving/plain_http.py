"""HTTP/1.1 of the usual kind, answered where it is read.

Between a socket and the app Hypercorn has a parser, a stream, a queue and a task for each request,
which cost more than the app does. A request of the usual kind (`request_heads.py`) needs none of
them. The first other one on a connection, and all after it, are Hypercorn's.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import unquote

from tinker_mock.server.serving.request_heads import Field, Head, read_head
from tinker_mock.server.wire.exchange import TEXTS, WHOLE, Message

log = logging.getLogger(__name__)
App = Callable[..., Awaitable[None]]
PIECE = 64 * 1024
END = b"\r\n\r\n"
BODILESS = (204, 304)


class ClientEnd:
    """What the client sends, in pieces that were read and not yet asked for."""

    def __init__(self, reader: asyncio.StreamReader) -> None:
        self._reader = reader
        self._ahead = b""

    @property
    def is_ahead(self) -> bool:
        return bool(self._ahead)

    async def more(self) -> bytes:
        """The next piece; nothing when the client has ended."""
        ahead, self._ahead = self._ahead, b""
        return ahead or await self._read()

    def give_back(self, piece: bytes) -> None:
        """It belongs to what comes next."""
        self._ahead = piece

    async def ended(self) -> None:
        """Return when the client has ended; what it sends until then is for later."""
        while len(self._ahead) < PIECE:
            piece = await self._read()
            if not piece:
                return
            self._ahead += piece
        await asyncio.Event().wait()  # it need not be listened to before it was answered

    async def _read(self) -> bytes:
        try:
            return await self._reader.read(PIECE)
        except OSError:
            return b""


class PlainRequest:
    """One request with its answer: the app's `receive` and `send`."""

    def __init__(
        self,
        head: Head,
        client: ClientEnd,
        writer: asyncio.StreamWriter,
        own: Callable[[], list[Field]],
    ) -> None:
        self.left = head.length
        self.begun = self.finished = False
        self._asked = False
        self._client = client
        self._writer = writer
        self._own = own
        self._head = b""
        self._chunked = False

    async def receive(self) -> Message:
        """The body piece by piece, then the client's end."""
        if self._asked and not self.left:
            await self._client.ended()
            return {"type": "http.disconnect"}
        self._asked = True
        piece = await self._client.more() if self.left else b""
        if len(piece) > self.left:
            self._client.give_back(piece[self.left :])
            piece = piece[: self.left]
        if self.left and not piece:
            return {"type": "http.disconnect"}
        self.left -= len(piece)
        return {"type": "http.request", "body": piece, "more_body": self.left > 0}

    async def send(self, message: Message) -> None:
        """The head of an answer that is there as a whole goes out with its body, in one write.

        Raises ConnectionError once the client has left.
        """
        if message["type"] == "http.response.start":
            self.begun = True
            self._head = self._started(message["status"], list(message.get("headers", ())))
            if not message.get(WHOLE):
                await self._write(b"")
            return
        piece, more = message.get("body", b""), message.get("more_body", False)
        if self._chunked:
            piece = b"%x\r\n%b\r\n" % (len(piece), piece) if piece else b""
            piece += b"" if more else b"0\r\n\r\n"
        self.finished = not more
        await self._write(piece)

    def _started(self, status: int, fields: list[Field]) -> bytes:
        """The head; an answer of unknown length is sent in chunks."""
        sized = status in BODILESS or any(name == b"content-length" for name, _ in fields)
        self._chunked = not sized
        if not sized:
            fields.append((b"transfer-encoding", b"chunked"))
        lines = [b"HTTP/1.1 %d " % status]
        lines += [b"%b: %b" % field for field in (*fields, *self._own())]
        head = b"\r\n".join(lines)
        if head.count(b"\n") != len(lines) - 1 or head.count(b"\r") != len(lines) - 1:
            raise ValueError("a header of the answer has more than one line")
        return head + END

    async def _write(self, piece: bytes) -> None:
        head, self._head = self._head, b""
        writer = self._writer
        if not (head or piece):
            return
        if writer.is_closing():
            raise ConnectionResetError("the client left before its answer was sent")
        writer.write(head + piece)
        if writer.transport.get_write_buffer_size():
            await writer.drain()


class PlainConnection:
    """Answers requests of the usual kind. `place` is what a connection adds to their scopes, `own`
    gives the fields that the server adds to answers."""

    def __init__(
        self,
        app: App,
        streams: tuple[asyncio.StreamReader, asyncio.StreamWriter],
        place: dict[str, Any],
        own: Callable[[], list[Field]],
    ) -> None:
        self._app = app
        self._client = ClientEnd(streams[0])
        self._writer = streams[1]
        self._place = place
        self._own = own

    @property
    def is_ahead(self) -> bool:
        """Whether the client has sent more than was asked for."""
        return self._client.is_ahead

    async def next_head(self) -> tuple[Head | None, bytes]:
        """The next request's head; None for another kind, or none, with what was read of it."""
        piece = await self._client.more()
        end = piece.find(END)
        head = read_head(piece[:end].split(b"\r\n")) if end >= 0 else None
        if head is not None:
            self._client.give_back(piece[end + len(END) :])
        return head, piece

    async def answer(self, head: Head) -> bool:
        """Have the app answer; False when the connection cannot go on."""
        request = PlainRequest(head, self._client, self._writer, self._own)
        try:
            await self._app(self._scope(head), request.receive, request.send)
        except ConnectionError as error:
            log.info("%s %r: %s", head.method, head.target, error)
        except Exception:
            log.exception("%s %r", head.method, head.target)
            if not (request.begun or self._writer.is_closing()):
                await request.send({"type": "http.response.start", "status": 500, WHOLE: True})
        return request.finished and not request.left and not self._writer.is_closing()

    def _scope(self, head: Head) -> dict[str, Any]:
        path, _, query = head.target.partition(b"?")
        return {
            "type": "http",
            "asgi": {"spec_version": "2.1", "version": "3.0"},
            "http_version": "1.1",
            "method": head.method,
            "path": unquote(path.decode("ascii")),
            "raw_path": path,
            "query_string": query,
            "root_path": "",
            "headers": head.fields,
            TEXTS: head.texts,
            "extensions": {},
            **self._place,
        }
