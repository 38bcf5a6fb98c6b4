"""Cutting a client's connection, whatever serves the app.

ASGI has no word for "hang up". Behind Hypercorn the connection of the current request is known
through a context variable that our TCPServer sets; behind uvicorn the transport hangs on the
request cycle; in process there is no connection, so the client's transport raises instead.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from contextvars import ContextVar

import httpx
import hypercorn.asyncio.run as hypercorn_run
from hypercorn.asyncio.tcp_server import TCPServer

from mockserver.edge.exchange import Send

_writer: ContextVar[asyncio.StreamWriter | None] = ContextVar("connection", default=None)
LINGER_NONE = struct.pack("ii", 1, 0)  # closing sends RST instead of FIN


class ConnectionCut(httpx.ReadError):
    """What an in-process client gets where a socket would have been closed."""


class TrackedConnection(TCPServer):
    """Hypercorn's connection, remembered for the requests that arrive on it."""

    async def run(self) -> None:
        _writer.set(self.writer)
        await super().run()


def track_connections() -> None:
    """Let Hypercorn remember connections; call once before serving."""
    vars(hypercorn_run)["TCPServer"] = TrackedConnection


def cut(send: Send, *, reset: bool) -> None:
    """Close the client's connection at once (with a TCP reset if asked).

    Raises ConnectionCut when there is no connection to close.
    """
    transport = _transport(send)
    if transport is None:
        raise ConnectionCut("the mock closed the connection (fault injection)")
    if reset:
        sock: socket.socket | None = transport.get_extra_info("socket")
        if sock is not None:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER_NONE)
        transport.abort()
    else:
        transport.close()


def _transport(send: Send) -> asyncio.WriteTransport | None:
    writer = _writer.get()
    if writer is not None:
        return writer.transport
    found = getattr(getattr(send, "__self__", None), "transport", None)
    return found if isinstance(found, asyncio.WriteTransport) else None
