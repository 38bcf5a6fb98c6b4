"""A load balancer without any wit: each request goes to the next server that takes a connection."""

import asyncio
import itertools
import re
import threading
from collections.abc import Sequence
from contextlib import suppress
from typing import Self

LENGTH = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)
CONNECTION = re.compile(rb"\r\nconnection:[^\r]*", re.IGNORECASE)


class RoundRobin:
    """Listens on a port of its own while its block lasts; `turns` says how many went where."""

    def __init__(self, ports: Sequence[int]) -> None:
        self.ports = ports
        self.turns = dict.fromkeys(ports, 0)
        self._next = itertools.cycle(ports)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        opening = asyncio.start_server(self._serve, "127.0.0.1", 0)
        self._server = asyncio.run_coroutine_threadsafe(opening, self._loop).result()
        self.port: int = self._server.sockets[0].getsockname()[1]
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._server.close)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One request, one answer, and the connection ends: the next request has its turn anew."""
        with suppress(OSError, asyncio.IncompleteReadError):
            head = await reader.readuntil(b"\r\n\r\n")
            size = LENGTH.search(head)
            body = await reader.readexactly(int(size[1])) if size else b""
            request = CONNECTION.sub(b"", head[:-4]) + b"\r\nconnection: close\r\n\r\n" + body
            server, to_server = await self._connected()
            to_server.write(request)
            while data := await server.read(1 << 16):
                writer.write(data)
                await writer.drain()
            to_server.close()
        writer.close()

    async def _connected(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        for port in itertools.islice(self._next, len(self.ports)):
            with suppress(OSError):
                streams = await asyncio.open_connection("127.0.0.1", port)
                self.turns[port] += 1
                return streams
        raise ConnectionRefusedError
