"""Requests on their way to another server, and their answers back."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from tinker_mock.server.cluster.connections import Broken, Connections
from tinker_mock.server.cluster.membership import Peer
from tinker_mock.server.wire.exchange import EVENT_STREAM, JSON, Answer, Exchange
from tinker_mock.server.wire.hop_by_hop import HOP_BY_HOP

FROM, TOKEN, UNIT, BASE = (
    f"x-tinker-mock-{name}" for name in ("from", "peer-token", "unit", "base-url")
)
"""Headers of a request from another server: who sent it, the proof, what it is about, and the
address that the client used."""
RESULT_OF, NOT_MINE = "x-tinker-mock-result-of", "x-tinker-mock-not-mine"
"""Headers of an answer to another server."""


class PeerGone(Exception):
    """The other server did not answer."""


class Peers:
    """Connections to the other servers. `token` proves that a request comes from one of them."""

    def __init__(self, me: str, token: str) -> None:
        self.me = me
        self.token = token
        self._connections: dict[str, Connections] = {}
        self._gone: dict[str, asyncio.Future[None]] = {}

    def close(self) -> None:
        """End all connections that wait."""
        for connections in self._connections.values():
            connections.close()

    def remove(self, server: str) -> None:
        """A server is gone: nobody waits for its answers any longer."""
        connections = self._connections.pop(server, None)
        if connections is not None:
            connections.close()
        gone = self._gone.pop(server, None)
        if gone is not None:
            gone.set_result(None)

    async def forward(self, peer: Peer, exchange: Exchange, unit: str) -> Answer:
        """The other server's answer to a client's request. Raises PeerGone."""
        query = exchange.raw_query.decode("latin-1")
        headers = {k: v for k, v in exchange.headers.items() if k not in HOP_BY_HOP}
        headers |= {UNIT: unit, BASE: exchange.base_url}
        path = f"{exchange.path}?{query}" if query else exchange.path
        return await self.ask(peer, exchange.method, path, exchange.raw_body, headers)

    async def ask(
        self,
        peer: Peer,
        method: str,
        path: str,
        content: bytes = b"",
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """The other server's answer. Raises PeerGone."""
        told = {**(headers or {}), "host": peer.address, FROM: self.me, TOKEN: self.token}
        if peer.id not in self._connections:
            self._connections[peer.id] = Connections(peer.address)
        connections = self._connections[peer.id]
        gone = self._gone.setdefault(peer.id, asyncio.get_running_loop().create_future())
        asking = asyncio.ensure_future(_answer(connections, method, path, told, content))
        ends: set[asyncio.Future[Any]] = {asking, gone}
        try:
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
            if not asking.done():
                raise PeerGone(peer.id)
            return asking.result()
        except Broken as error:
            raise PeerGone(peer.id) from error
        finally:
            asking.cancel()


async def _answer(
    connections: Connections, method: str, path: str, headers: Mapping[str, str], content: bytes
) -> Answer:
    reply = await connections.ask(method, path, headers, content)
    kept = {k: v for k, v in reply.headers.items() if k not in HOP_BY_HOP}
    content_type = kept.pop("content-type", "")
    for name in ("date", "server"):
        kept.pop(name, None)
    if content_type.startswith(EVENT_STREAM):
        return Answer(reply.status, None, b"", content_type, kept, reply.body)
    body = b"".join([chunk async for chunk in reply.body])
    return Answer(reply.status, None, body, content_type or JSON, kept)
