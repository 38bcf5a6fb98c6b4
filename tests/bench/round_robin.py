"""A load balancer without any wit: each request goes to the next server that takes a connection."""

import asyncio
import itertools
import re
import threading
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from typing import Self

LENGTH = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)
CONNECTION = re.compile(rb"\r\nconnection:[^\r]*", re.IGNORECASE)


class RoundRobin:
    """Listens on a port of its own while its block lasts; `turns` says how many went where."""

    def __init__(self, ports: Sequence[int]) -> None:
        self.ports = ports
        self.turns = dict.fromkeys(ports, 0)
        self._next = itertools.cycle(ports)
        self._opened = threading.Event()
        self._open: set[asyncio.StreamWriter] = set()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._until_closed()))

    def __enter__(self) -> Self:
        self._thread.start()
        self._opened.wait()
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._closed.set)
        self._thread.join()

    async def _until_closed(self) -> None:
        self._loop, self._closed = asyncio.get_running_loop(), asyncio.Event()
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port: int = server.sockets[0].getsockname()[1]
        self._opened.set()
        await self._closed.wait()
        server.close()
        for writer in [*self._open]:
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One request, one answer, and the connection ends: the next request has its turn anew."""
        with suppress(OSError, asyncio.IncompleteReadError), self._held(writer):
            head = await reader.readuntil(b"\r\n\r\n")
            size = LENGTH.search(head)
            body = await reader.readexactly(int(size[1])) if size else b""
            request = CONNECTION.sub(b"", head[:-4]) + b"\r\nconnection: close\r\n\r\n" + body
            server, to_server = await self._connected()
            with self._held(to_server):
                to_server.write(request)
                while data := await server.read(1 << 16):
                    writer.write(data)
                    await writer.drain()

    @contextmanager
    def _held(self, writer: asyncio.StreamWriter) -> Iterator[None]:
        """Closed in the end, also when the block is cut short with the loop."""
        self._open.add(writer)
        try:
            with closing(writer):
                yield
        finally:
            self._open.discard(writer)

    async def _connected(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        for port in itertools.islice(self._next, len(self.ports)):
            with suppress(OSError):
                streams = await asyncio.open_connection("127.0.0.1", port)
                self.turns[port] += 1
                return streams
        raise ConnectionRefusedError
