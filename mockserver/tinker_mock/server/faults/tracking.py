"""Connections that faults can find and cut, behind Hypercorn and behind uvicorn."""

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from contextlib import suppress
from typing import Any

from tinker_mock.server.faults.connection import current

App = Callable[[MutableMapping[str, Any], Any, Any], Awaitable[None]]


def track_hypercorn(crowd_of: Callable[[Any], Any]) -> None:
    """Let Hypercorn remember connections; call once before serving.

    `crowd_of` gives a server's crowd (see `serving/crowd.py`) for its configuration.
    """
    import hypercorn.asyncio.run as hypercorn_run
    from hypercorn.asyncio.tcp_server import TCPServer
    from hypercorn.events import Event, Updated

    class TrackedConnection(TCPServer):
        """Hypercorn's connection, remembered for the requests that arrive on it.

        One task looks after its idleness; Hypercorn's makes and cancels one a request.
        """

        idle_since: float | None = 0.0
        """Of the loop's clock; nothing while a request is under way."""

        async def protocol_send(self, event: Event) -> None:
            if isinstance(event, Updated):
                self.idle_since = self.loop.time() if event.idle else None
                crowd = crowd_of(self.config)
                (crowd.idle if event.idle else crowd.busy)(self.writer.transport)
            else:
                await super().protocol_send(event)

        async def _idle_timeout(self) -> None:
            self.idle_since = self.loop.time()
            patience = self.config.keep_alive_timeout
            ending = asyncio.ensure_future(self.context.terminated.wait())
            try:
                while not ending.done():
                    since = self.loop.time() if self.idle_since is None else self.idle_since
                    left = since + patience - self.loop.time()
                    if left <= 0:
                        break
                    await asyncio.wait({ending}, timeout=left)
            finally:
                ending.cancel()
            # A request under way ends its connection itself when the server does.
            if self.idle_since is not None:
                await asyncio.shield(self._initiate_server_close())

        async def run(self) -> None:
            current.set(self.writer.transport)
            crowd = crowd_of(self.config)
            if not crowd.enter(self.writer.transport):
                return
            try:
                await self._serve()
            finally:
                crowd.leave(self.writer.transport)

        async def _serve(self) -> None:
            # At shutdown asyncio would log each cancelled connection with a traceback.
            try:
                with suppress(asyncio.CancelledError):
                    await super().run()
            except BaseExceptionGroup as group:
                # So it does when a stream ends while its connection is being cancelled.
                if group.split(RuntimeError)[1] is not None:
                    raise

        # A client that has ended asks for nothing more: its connection ends with its last answer,
        # and not when it has been idle for long.

        async def _read_data(self) -> None:
            await super()._read_data()
            await self.idle_task.stop()

    vars(hypercorn_run)["TCPServer"] = TrackedConnection


def tracked(app: App) -> App:
    """The app behind uvicorn, whose `send` belongs to a request cycle with a transport."""

    async def remember(scope: MutableMapping[str, Any], receive: Any, send: Any) -> None:
        current.set(getattr(getattr(send, "__self__", None), "transport", None))
        await app(scope, receive, send)

    return remember
