"""Cutting a client's connection, whatever serves the app.

ASGI has no word for "hang up". Behind Hypercorn the connection of the current request is known
through a context variable (see `tracking`); behind uvicorn the transport hangs on the request
cycle; in process there is no connection, so the client's transport raises instead.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from contextvars import ContextVar

from mockserver.edge.exchange import Send

current: ContextVar[asyncio.StreamWriter | None] = ContextVar("connection", default=None)
LINGER_NONE = struct.pack("ii", 1, 0)  # closing sends RST instead of FIN


def cut(send: Send, *, reset: bool) -> None:
    """Close the client's connection at once (with a TCP reset if asked).

    Raises httpx.ReadError, which an in-process client gets, when there is none to close.
    """
    transport = _transport(send)
    if transport is None:
        import httpx  # takes longer to import than the rest of the server

        raise httpx.ReadError("the mock closed the connection (fault injection)")
    if reset:
        sock: socket.socket | None = transport.get_extra_info("socket")
        if sock is not None:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER_NONE)
        transport.abort()
    else:
        transport.close()


def _transport(send: Send) -> asyncio.WriteTransport | None:
    writer = current.get()
    if writer is not None:
        return writer.transport
    found = getattr(getattr(send, "__self__", None), "transport", None)
    return found if isinstance(found, asyncio.WriteTransport) else None
