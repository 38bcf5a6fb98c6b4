"""Hypercorn connections that faults can find and cut."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import hypercorn.asyncio.run as hypercorn_run
from hypercorn.asyncio.tcp_server import TCPServer

from mockserver.faults.connection import current


class TrackedConnection(TCPServer):
    """Hypercorn's connection, remembered for the requests that arrive on it."""

    async def run(self) -> None:
        current.set(self.writer)
        # At shutdown asyncio would log each cancelled connection as an error, with a traceback.
        with suppress(asyncio.CancelledError):
            await super().run()


def track_connections() -> None:
    """Let Hypercorn remember connections; call once before serving."""
    vars(hypercorn_run)["TCPServer"] = TrackedConnection
