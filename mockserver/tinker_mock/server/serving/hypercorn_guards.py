"""What Hypercorn's protocols lack against clients that mean harm; applied once before serving."""

import logging
from typing import Any

import h2.events
import h11
import hypercorn.protocol
from h2.errors import ErrorCodes
from h2.exceptions import ProtocolError
from hypercorn.events import Closed, Event, RawData
from hypercorn.protocol.events import Body, EndBody, Response
from hypercorn.protocol.events import Event as StreamEvent
from hypercorn.protocol.h2 import H2Protocol
from hypercorn.protocol.h11 import H11Protocol
from priority.priority import PriorityTree

from tinker_mock.server.wire.exchange import WHOLE

log = logging.getLogger(__name__)
FREE_RESETS = 500
"""Streams that a client may take back; beyond, no more than half of what it opens."""
BAD_REQUEST = 400


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


class GuardedH2(H2Protocol):
    """Ends connections that open streams to reset them, and those that break the protocol."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.resets = 0
        # Hypercorn's own tree breaks at 1000 streams, however many its settings allow.
        self.priority = PriorityTree(self.config.h2_max_concurrent_streams + 100)

    async def handle(self, event: Event) -> None:
        try:
            await super().handle(event)
        except (KeyError, ProtocolError, UnboundLocalError, UnicodeDecodeError) as error:
            log.info("HTTP/2 connection ended: %s: %s", type(error).__name__, error)
            await self._end(ErrorCodes.PROTOCOL_ERROR)

    async def _handle_events(self, events: list[h2.events.Event]) -> None:
        self.resets += sum(isinstance(event, h2.events.StreamReset) for event in events)
        if self.resets > FREE_RESETS + self.keep_alive_requests // 2:
            await self._end(ErrorCodes.ENHANCE_YOUR_CALM)
            return
        await super()._handle_events(events)

    async def _end(self, code: ErrorCodes) -> None:
        try:
            self.connection.close_connection(code)
            await self._flush()
        except ProtocolError:
            pass  # it is closed already
        await super().handle(Closed())
        await self.send(Closed())


def guard_hypercorn() -> None:
    """Let Hypercorn use the guarded protocols."""
    vars(hypercorn.protocol).update(H11Protocol=GuardedH11, H2Protocol=GuardedH2)
