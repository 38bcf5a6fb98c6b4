"""Hypercorn's connections: known to faults and to the crowd, and short for usual requests."""

import asyncio
from contextlib import suppress
from typing import Any

import hypercorn.asyncio.run
from hypercorn.app_wrappers import ASGIWrapper
from hypercorn.asyncio.tcp_server import TCPServer
from hypercorn.asyncio.worker_context import AsyncioSingleTask
from hypercorn.config import Config
from hypercorn.events import Event, RawData, Updated
from hypercorn.utils import parse_socket_addr

from tinker_mock.server.clock import machine_pause, machine_seconds
from tinker_mock.server.faults.connection import current
from tinker_mock.server.serving.crowd import Crowd
from tinker_mock.server.serving.http2_guard import GuardedH2
from tinker_mock.server.serving.plain_http import PlainConnection
from tinker_mock.server.serving.request_heads import Field


class CrowdedConfig(Config):
    """Hypercorn's, with the connections of the server."""

    def __init__(self, crowd: Crowd) -> None:
        super().__init__()
        self.crowd = crowd
        self._made: tuple[tuple[str, float], list[Field]] = ("", 0.0), []

    def response_headers(self, protocol: str) -> list[Field]:
        """The fields that say who answers and when, made once a second."""
        key = protocol, machine_seconds() // 1
        made, fields = self._made
        if made != key:
            fields = super().response_headers(protocol)
            self._made = key, fields
        return fields


class NoTask(AsyncioSingleTask):
    """Hypercorn's watch over one idle connection, which is left to the crowd."""

    async def restart(self, task_group: Any, action: Any) -> None:
        pass

    async def stop(self) -> None:
        pass


class CrowdedConnection(TCPServer):
    """Hypercorn's connection, remembered for the requests that arrive on it."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.idle_task = NoTask()
        self._unread = b""
        """Of a request that Hypercorn is to read."""
        assert isinstance(self.config, CrowdedConfig)
        self.crowd = self.config.crowd

    async def protocol_send(self, event: Event) -> None:
        if isinstance(event, Updated):
            self._occupied(not event.idle)
        elif not (isinstance(event, RawData) and self.writer.transport.is_closing()):
            await super().protocol_send(event)

    def _occupied(self, busy: bool) -> None:
        (self.crowd.busy if busy else self.crowd.idle)(self.writer.transport)

    async def _close(self) -> None:
        task = asyncio.current_task()
        if task is not None and task.cancelling():
            # The server ends: a client that does not read would never have taken the rest.
            self.writer.transport.abort()
        await super()._close()

    async def run(self) -> None:
        current.set(self.writer.transport)
        if not self.crowd.enter(self.writer.transport):
            return
        try:
            await self._serve()
        finally:
            self.crowd.leave(self.writer.transport)
            http = getattr(getattr(self, "protocol", None), "protocol", None)
            if isinstance(http, GuardedH2):
                http.leave()

    async def _serve(self) -> None:
        # At shutdown asyncio would log each cancelled connection with a traceback.
        try:
            with suppress(asyncio.CancelledError):
                await self._begin()
        except BaseExceptionGroup as group:
            # So it does when a stream ends while its connection is being cancelled.
            if group.split(RuntimeError)[1] is not None:
                raise

    async def _begin(self) -> None:
        """Hypercorn's protocols are made for connections that need them: most never do."""
        secured = self.writer.get_extra_info("ssl_object")
        if secured is None or secured.selected_alpn_protocol() != "h2":
            try:
                self._unread = await self._answer_plain("http" if secured is None else "https")
            finally:
                if not self._unread:
                    await self._close()
            if not self._unread:
                return
        await super().run()

    async def _read_data(self) -> None:
        if self._unread:
            await self.protocol.handle(RawData(self._unread))
        await super()._read_data()

    async def _answer_plain(self, scheme: str) -> bytes:
        """Answer until a request is not of the usual kind; what was read of that."""
        told = self.writer.get_extra_info
        family = told("socket").family
        place = {
            "scheme": scheme,
            "client": parse_socket_addr(family, told("peername")),
            "server": parse_socket_addr(family, told("sockname")),
            "state": self.state,
        }
        assert isinstance(self.app, ASGIWrapper)
        plain = PlainConnection(self.app.app, (self.reader, self.writer), place, self._own_fields)
        while True:
            head, unread = await plain.next_head()
            if head is None:
                return unread
            self._occupied(True)
            if not await plain.answer(head):
                return b""
            self._occupied(False)
            if plain.is_ahead:
                await machine_pause(0)  # whoever sends many requests at once is not alone

    def _own_fields(self) -> list[Field]:
        return self.config.response_headers("h11")


def use_crowded_connections() -> None:
    """Let Hypercorn make its connections so; call once before serving. The configuration brings the
    `crowd`."""
    vars(hypercorn.asyncio.run)["TCPServer"] = CrowdedConnection
