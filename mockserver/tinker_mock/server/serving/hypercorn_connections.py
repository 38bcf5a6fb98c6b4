"""Hypercorn's connections: known to the crowd, for whatever is not of the usual kind."""

import asyncio
from pathlib import Path
from ssl import SSLContext
from typing import Any

from hypercorn.app_wrappers import ASGIWrapper
from hypercorn.asyncio.tcp_server import TCPServer
from hypercorn.asyncio.worker_context import AsyncioSingleTask, WorkerContext
from hypercorn.config import Config
from hypercorn.events import Event, RawData, Updated

from tinker_mock.server.clock import machine_seconds
from tinker_mock.server.serving.crowd import PATIENCE, Crowd
from tinker_mock.server.serving.http2_guard import GuardedH2
from tinker_mock.server.serving.hypercorn_guards import guard_hypercorn
from tinker_mock.server.serving.request_heads import Field

STREAMS = 10_000
"""Of an HTTP/2 connection."""


class CrowdedConfig(Config):
    """Hypercorn's, with the connections of the server."""

    def __init__(self, crowd: Crowd) -> None:
        super().__init__()
        self.crowd = crowd
        self._made: tuple[tuple[str, float], list[Field]] = ("", 0.0), []
        # The defaults close connections after 1000 requests and queue streams beyond 100.
        self.keep_alive_max_requests = 1_000_000
        self.h2_max_concurrent_streams = STREAMS
        self.keep_alive_timeout = PATIENCE
        self.loglevel = "WARNING"

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
    """Hypercorn's connection, from the request on whose beginning is `unread`."""

    def __init__(self, *args: Any, unread: bytes) -> None:
        super().__init__(*args)
        self.idle_task = NoTask()
        self._unread = unread
        assert isinstance(self.config, CrowdedConfig)
        self.crowd = self.config.crowd

    async def protocol_send(self, event: Event) -> None:
        if isinstance(event, Updated):
            (self.crowd.idle if event.idle else self.crowd.busy)(self.writer.transport)
        elif not (isinstance(event, RawData) and self.writer.transport.is_closing()):
            await super().protocol_send(event)

    async def _close(self) -> None:
        task = asyncio.current_task()
        if task is not None and task.cancelling():
            # The server ends: a client that does not read would never have taken the rest.
            self.writer.transport.abort()
        await super()._close()

    async def run(self) -> None:
        try:
            await super().run()
        except BaseExceptionGroup as group:
            # So it ends when a stream does while its connection is being cancelled.
            if group.split(RuntimeError)[1] is not None:
                raise
        finally:
            http = getattr(getattr(self, "protocol", None), "protocol", None)
            if isinstance(http, GuardedH2):
                http.leave()

    async def _read_data(self) -> None:
        if self._unread:
            await self.protocol.handle(RawData(self._unread))
        await super()._read_data()


class Hypercorn:
    """What a server needs for the connections that are Hypercorn's."""

    def __init__(self, app: Any, crowd: Crowd, state: dict[str, Any]) -> None:
        guard_hypercorn()
        self._app = ASGIWrapper(app)
        self._config = CrowdedConfig(crowd)
        self._context = WorkerContext(None)
        self._state = state

    async def take_over(
        self, streams: tuple[asyncio.StreamReader, asyncio.StreamWriter], unread: bytes
    ) -> None:
        """Serve the rest of a connection."""
        loop = asyncio.get_running_loop()
        given = self._app, loop, self._config, self._context, self._state, *streams
        await CrowdedConnection(*given, unread=unread)

    async def end(self) -> None:
        """Connections end with the answers under way."""
        await self._context.terminated.set()


def secured(certfile: Path, keyfile: Path | None) -> SSLContext:
    """TLS as Hypercorn has it, with HTTP/2 on offer."""
    config = Config()
    config.certfile, config.keyfile = str(certfile), str(keyfile)
    context = config.create_ssl_context()
    assert context is not None
    return context
