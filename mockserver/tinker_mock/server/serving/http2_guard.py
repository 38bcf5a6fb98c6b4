"""HTTP/2 of Hypercorn's, against clients that mean harm."""

import logging
from typing import Any

import h2.events
from h2.errors import ErrorCodes
from h2.exceptions import ProtocolError
from hypercorn.events import Closed, Event, RawData
from hypercorn.protocol.h2 import H2Protocol

from tinker_mock.server.clock import machine_pause
from tinker_mock.server.serving.crowd import Crowd
from tinker_mock.server.serving.http2_frames import Frames, TooManyFrames
from tinker_mock.server.serving.http2_streams import CountedStreams, Turns

log = logging.getLogger(__name__)
FREE_RESETS = 500
"""Streams that a client may take back; beyond, no more than half of what it opens."""


class Nobody:
    """Takes what comes for a stream that has ended, or that was refused."""

    async def handle(self, event: object) -> None:
        pass


class Streams(dict[int, Any]):
    """Those under way. A body that was answered before it was whole goes to nobody."""

    def __missing__(self, stream_id: int) -> Nobody:
        return Nobody()


class GuardedH2(H2Protocol):
    """Ends connections that keep it busy for nothing, and those that break the protocol."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.resets = 0
        self.crowd: Crowd = self.config.crowd  # type: ignore[attr-defined]
        self.frames = Frames()
        given = self.connection
        self.connection = CountedStreams(config=given.config)
        self.connection.local_settings = given.local_settings
        vars(self)["priority"] = Turns()
        self.streams = Streams()

    async def handle(self, event: Event) -> None:
        try:
            if isinstance(event, RawData):
                await self._take(event.data)
            else:
                await self._close()
        except TooManyFrames:
            await self._end(ErrorCodes.ENHANCE_YOUR_CALM)
        except (KeyError, ProtocolError, UnboundLocalError, UnicodeDecodeError) as error:
            log.info("HTTP/2 connection ended: %s: %s", type(error).__name__, error)
            await self._end(ErrorCodes.PROTOCOL_ERROR)

    async def _take(self, data: bytes) -> None:
        later = False
        for portion in self.frames.portions(data):
            if later:
                await machine_pause(0)
            if self.closed:
                return
            await super().handle(RawData(portion))
            later = True

    async def _handle_events(self, events: list[h2.events.Event]) -> None:
        self.resets += sum(isinstance(event, h2.events.StreamReset) for event in events)
        if self.resets > FREE_RESETS + self.keep_alive_requests // 2:
            await self._end(ErrorCodes.ENHANCE_YOUR_CALM)
            return
        await super()._handle_events(self._heeded(events))

    def _heeded(self, events: list[h2.events.Event]) -> list[h2.events.Event]:
        """Those that are more than noise; requests beyond what there is room for are refused."""
        found = []
        widened: set[int | None] = set()
        room = self.crowd.room_for_streams() - len(self.streams)
        for event in events:
            if isinstance(event, h2.events.RequestReceived):
                room -= 1
                if room < 0:
                    self.connection.reset_stream(event.stream_id, ErrorCodes.REFUSED_STREAM)
                    continue
            elif isinstance(event, h2.events.WindowUpdated):
                if event.stream_id in widened:
                    continue
                widened.add(event.stream_id)
            elif isinstance(event, h2.events.PriorityUpdated):
                continue
            found.append(event)
        return found

    async def _create_stream(self, request: h2.events.RequestReceived) -> None:
        before = len(self.streams)
        try:
            await super()._create_stream(request)
        finally:
            self.crowd.streams += len(self.streams) - before

    async def _close_stream(self, stream_id: int) -> None:
        self.crowd.streams -= stream_id in self.streams
        await super()._close_stream(stream_id)

    def leave(self) -> None:
        """The connection has ended, in whatever way."""
        self.crowd.streams -= len(self.streams)
        self.streams.clear()

    async def _flush(self) -> None:
        data = self.connection.data_to_send()
        if data:
            self.frames.sent(len(data))
            await self.send(RawData(data=data))

    async def _end(self, code: ErrorCodes) -> None:
        try:
            self.connection.close_connection(code)
            await self._flush()
        except ProtocolError:
            pass  # it is closed already
        await self._close()
        await self.send(Closed())

    async def _close(self) -> None:
        """Nobody takes what was not sent yet: whoever waits for that is let go."""
        await super().handle(Closed())
        for buffer in list(self.stream_buffers.values()):
            await buffer.close()
