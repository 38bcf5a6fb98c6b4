"""HTTP between servers of a store: connections that stay open, one exchange at a time on each.

As little as it takes: requests go out in one write, answers come with a length, in chunks, or end
with their connection.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass

import h11

from tinker_mock.server.clock import machine_wait

RECEIVED = 64 * 1024
CONNECTING = 2.0
"""Seconds until a server that does not take a connection is given up."""


class Broken(Exception):
    """No answer came: the connection could not be made, or it ended before."""


@dataclass(frozen=True)
class Reply:
    """The start of an answer, and where its body comes from."""

    status: int
    headers: Mapping[str, str]
    body: AsyncIterator[bytes]


class Connections:
    """To one server."""

    def __init__(self, address: str) -> None:
        self.host, _, port = address.rpartition(":")
        self.port = int(port)
        self._idle: deque[_Connection] = deque()

    async def ask(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> Reply:
        """The answer. One on a connection that the other side had closed meanwhile is asked for
        anew. Raises Broken."""
        while True:
            kept = self._idle.pop() if self._idle else None
            connection = kept or await self._connected()
            try:
                return await connection.exchange(method, path, headers, body, self._idle)
            except Stale:
                if kept is None:
                    raise Broken(f"{self.host}:{self.port} closed the connection") from None
            except OSError as error:
                connection.close()
                raise Broken(f"{self.host}:{self.port}: {error}") from error
            except BaseException:
                connection.close()
                raise

    async def _connected(self) -> _Connection:
        opening = asyncio.open_connection(self.host, self.port, limit=RECEIVED)
        try:
            return _Connection(*await machine_wait(opening, CONNECTING))
        except (OSError, TimeoutError) as error:
            raise Broken(f"{self.host}:{self.port}: {error}") from error

    def close(self) -> None:
        """End those that are idle."""
        while self._idle:
            self._idle.pop().close()


class Stale(Exception):
    """The connection ended before anything came back."""


class _Connection:
    """One connection; idle ones wait in a deque."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer
        self._http = h11.Connection(h11.CLIENT)

    async def exchange(
        self,
        method: str,
        path: str,
        headers: Mapping[str, str],
        body: bytes,
        idle: deque[_Connection],
    ) -> Reply:
        """Ask; the connection is idle again when the body has been read."""
        told = [(k.encode("latin-1"), v.encode("latin-1")) for k, v in headers.items()]
        told += [(b"content-length", str(len(body)).encode())]
        request = h11.Request(method=method, target=path, headers=told)
        events = (request, h11.Data(data=body), h11.EndOfMessage())
        try:
            self._writer.write(b"".join(self._http.send(event) or b"" for event in events))
            await self._writer.drain()
            start = await self._next()
        except (ConnectionError, h11.RemoteProtocolError):
            self.close()
            raise Stale from None
        if not isinstance(start, h11.Response):
            self.close()
            raise Stale
        found = {name.decode("latin-1"): value.decode("latin-1") for name, value in start.headers}
        return Reply(start.status_code, found, self._body(idle))

    async def _body(self, idle: deque[_Connection]) -> AsyncIterator[bytes]:
        whole = False
        try:
            while not isinstance(event := await self._next(), h11.EndOfMessage):
                if isinstance(event, h11.Data):
                    yield bytes(event.data)
                elif isinstance(event, h11.ConnectionClosed):
                    return
            whole = True
        except (OSError, h11.RemoteProtocolError) as error:
            raise Broken(str(error)) from error
        finally:
            if whole and self._http.our_state is self._http.their_state is h11.DONE:
                self._http.start_next_cycle()
                idle.append(self)
            else:
                self.close()

    async def _next(self) -> object:
        while True:
            event = self._http.next_event()
            if event is not h11.NEED_DATA:
                return event
            self._http.receive_data(await self._reader.read(RECEIVED))

    def close(self) -> None:
        """End it."""
        self._writer.close()
