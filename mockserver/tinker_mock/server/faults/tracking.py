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
    from hypercorn.asyncio.worker_context import AsyncioSingleTask
    from hypercorn.events import Event, Updated

    class NoTask(AsyncioSingleTask):
        """Hypercorn's watch over one idle connection, which is left to the crowd."""

        async def restart(self, task_group: Any, action: Any) -> None:
            pass

        async def stop(self) -> None:
            pass

    class TrackedConnection(TCPServer):
        """Hypercorn's connection, remembered for the requests that arrive on it."""

        def __init__(self, *args: Any) -> None:
            super().__init__(*args)
            self.idle_task = NoTask()
            self.crowd = crowd_of(self.config)

        async def protocol_send(self, event: Event) -> None:
            if isinstance(event, Updated):
                (self.crowd.idle if event.idle else self.crowd.busy)(self.writer.transport)
            else:
                await super().protocol_send(event)

        async def run(self) -> None:
            current.set(self.writer.transport)
            if not self.crowd.enter(self.writer.transport):
                return
            try:
                await self._serve()
            finally:
                self.crowd.leave(self.writer.transport)

        async def _serve(self) -> None:
            # At shutdown asyncio would log each cancelled connection with a traceback.
            try:
                with suppress(asyncio.CancelledError):
                    await super().run()
            except BaseExceptionGroup as group:
                # So it does when a stream ends while its connection is being cancelled.
                if group.split(RuntimeError)[1] is not None:
                    raise

    vars(hypercorn_run)["TCPServer"] = TrackedConnection


def tracked(app: App) -> App:
    """The app behind uvicorn, whose `send` belongs to a request cycle with a transport."""

    async def remember(scope: MutableMapping[str, Any], receive: Any, send: Any) -> None:
        current.set(getattr(getattr(send, "__self__", None), "transport", None))
        await app(scope, receive, send)

    return remember
