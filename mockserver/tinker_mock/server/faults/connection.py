"""Cutting a client's connection, whatever serves the app.

ASGI has no word for "hang up". On a socket the connection of the current request is known
through a context variable (whoever serves sets it); in process there is no connection, so the
client's transport raises instead.
"""

import asyncio
import socket
import struct
from contextvars import ContextVar

current: ContextVar[asyncio.WriteTransport | None] = ContextVar("connection", default=None)
LINGER_NONE = struct.pack("ii", 1, 0)  # closing sends RST instead of FIN


def cut(*, reset: bool) -> None:
    """Close the client's connection at once (with a TCP reset if asked).

    Raises httpx.ReadError, which an in-process client gets, when there is none to close.
    """
    transport = current.get()
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
