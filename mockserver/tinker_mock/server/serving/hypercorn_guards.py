"""What Hypercorn's protocols lack against clients that mean harm; applied once before serving."""

import asyncio
from typing import Any

import h11
import hypercorn.protocol
import hypercorn.protocol.h2
import hypercorn.protocol.h11
from hypercorn.events import RawData
from hypercorn.protocol.events import Body, EndBody, Response, StreamClosed
from hypercorn.protocol.events import Event as StreamEvent
from hypercorn.protocol.h11 import H11Protocol
from hypercorn.protocol.http_stream import HTTPStream

from tinker_mock.server.serving.http2_guard import GuardedH2
from tinker_mock.server.wire.exchange import WHOLE

BAD_REQUEST = 400


class GuardedStream(HTTPStream):
    """A body that nobody reads to its end does not stop its connection, and an app is told when
    nobody reads its answer."""

    async def app_send(self, message: Any) -> None:
        if message is not None and self.closed:
            raise ConnectionResetError("the client left before its answer was sent")
        await super().app_send(message)

    async def handle(self, event: StreamEvent) -> None:
        if isinstance(event, StreamClosed) and not self.closed:
            unread: asyncio.Queue[Any] = self.app_put.__self__  # type: ignore[attr-defined]
            while not unread.empty():
                unread.get_nowait()
        await super().handle(event)


class GuardedH11(H11Protocol):
    """Whatever a client did wrong is its own fault: no 501 for an unknown transfer coding.

    The head of an answer that is there as a whole goes out with its body, in one write.
    """

    _head = b""

    async def stream_send(self, event: StreamEvent) -> None:
        if isinstance(event, Response) and event.status_code >= 200 and self._whole():
            own = [*event.headers, *self.config.response_headers("h11")]
            if self.keep_alive_requests >= self.config.keep_alive_max_requests:
                own.append((b"connection", b"close"))
            self._head = self._encoded(h11.Response(headers=own, status_code=event.status_code))
        elif isinstance(event, Body):
            await self._write(self._encoded(h11.Data(data=event.data)))
        elif isinstance(event, EndBody):
            await self._write(self._encoded(h11.EndOfMessage()))
        else:
            await super().stream_send(event)

    def _whole(self) -> bool:
        return bool(getattr(self.stream, "response", {}).get(WHOLE))

    def _encoded(self, event: Any) -> bytes:
        try:
            return self.connection.send(event) or b""
        except h11.LocalProtocolError:
            if self.connection.their_state != h11.ERROR:
                raise
            return b""

    async def _write(self, data: bytes) -> None:
        head, self._head = self._head, b""
        if head or data:
            await self.send(RawData(data=head + data))

    async def _send_error_response(self, status_code: int) -> None:
        await super()._send_error_response(BAD_REQUEST if status_code >= 500 else status_code)


def guard_hypercorn() -> None:
    """Let Hypercorn use the guarded protocols."""
    vars(hypercorn.protocol).update(H11Protocol=GuardedH11, H2Protocol=GuardedH2)
    vars(hypercorn.protocol.h11)["HTTPStream"] = GuardedStream
    vars(hypercorn.protocol.h2)["HTTPStream"] = GuardedStream
