"""The connections of the default server, each from its accept to its end."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from email.utils import formatdate
from typing import TYPE_CHECKING, Any

from tinker_mock.server.clock import machine_pause, machine_seconds
from tinker_mock.server.faults.connection import current
from tinker_mock.server.lazy_module import LazyModule, loaded
from tinker_mock.server.serving.crowd import Crowd
from tinker_mock.server.serving.plain_http import PlainConnection
from tinker_mock.server.serving.request_heads import Field
from tinker_mock.server.wire.exchange import App

if TYPE_CHECKING:
    from tinker_mock.server.serving import hypercorn_connections
else:
    # Most clients never send anything that needs it, and it takes longer to import than the app.
    hypercorn_connections = LazyModule(
        "tinker_mock.server.serving.hypercorn_connections", rare=True
    )

SERVER = b"hypercorn-h11"
Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Connections:
    """Takes every connection of a server: requests of the usual kind are answered where they are
    read, the rest of a connection that brings another one is Hypercorn's."""

    def __init__(self, app: App, crowd: Crowd, state: dict[str, Any]) -> None:
        self.crowd = crowd
        self._app = app
        self._state = state
        self._tasks: set[asyncio.Task[None]] = set()
        self._others: hypercorn_connections.Hypercorn | None = None
        self._fields: tuple[float, list[Field]] = 0.0, []

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one until it has ended."""
        task: Any = asyncio.current_task()
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        current.set(writer.transport)
        if not self.crowd.enter(writer.transport):
            return
        try:
            # At shutdown asyncio would log each cancelled connection with a traceback.
            with suppress(asyncio.CancelledError):
                await self._serve((reader, writer))
        finally:
            self.crowd.leave(writer.transport)

    async def end(self, patience: float) -> None:
        """Return when all have ended, for which they have so many seconds."""
        if self._others is not None:
            await self._others.end()
        if self._tasks:
            _, late = await asyncio.wait(self._tasks, timeout=patience)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)

    async def _serve(self, streams: Streams) -> None:
        secured = streams[1].get_extra_info("ssl_object")
        unread = b""
        if secured is None or secured.selected_alpn_protocol() != "h2":
            try:
                unread = await self._answer_plain(streams, "http" if secured is None else "https")
            finally:
                if not unread:
                    await _close(streams[1])
            if not unread:
                return
        await loaded(hypercorn_connections.Hypercorn)
        if self._others is None:
            self._others = hypercorn_connections.Hypercorn(self._app, self.crowd, self._state)
        await self._others.take_over(streams, unread)

    async def _answer_plain(self, streams: Streams, scheme: str) -> bytes:
        """Answer until a request is not of the usual kind; what was read of that."""
        told, transport = streams[1].get_extra_info, streams[1].transport
        place = {
            "scheme": scheme,
            "client": _address(told("peername")),
            "server": _address(told("sockname")),
            "state": self._state,
        }
        plain = PlainConnection(self._app, streams, place, self._own_fields)
        while True:
            head, unread = await plain.next_head()
            if head is None:
                return unread
            self.crowd.busy(transport)
            if not await plain.answer(head):
                return b""
            self.crowd.idle(transport)
            if plain.is_ahead:
                await machine_pause(0)  # whoever sends many requests at once is not alone

    def _own_fields(self) -> list[Field]:
        """The fields that say who answers and when, made once a second."""
        second = machine_seconds() // 1
        if self._fields[0] != second:
            date = formatdate(usegmt=True).encode()
            self._fields = second, [(b"date", date), (b"server", SERVER)]
        return self._fields[1]


async def _close(writer: asyncio.StreamWriter) -> None:
    """Send what is left and hang up."""
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        # The server ends: a client that does not read would never have taken the rest.
        writer.transport.abort()
    if writer.can_write_eof():  # TLS has no half that ends alone
        with suppress(OSError, RuntimeError):
            writer.write_eof()
    with suppress(OSError, RuntimeError, asyncio.CancelledError):
        writer.close()
        await writer.wait_closed()


def _address(told: Any) -> tuple[str, int] | None:
    """Host and port of an end of the connection, when they are still known."""
    return tuple(told[:2]) if told else None
