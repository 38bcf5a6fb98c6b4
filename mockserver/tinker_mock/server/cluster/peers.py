"""Requests on their way to another server, and their answers back."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from typing import Any

import httpx

from tinker_mock.server.cluster.membership import Peer
from tinker_mock.server.wire.exchange import EVENT_STREAM, JSON, Answer, Exchange

FROM, TOKEN, UNIT, BASE = (
    f"x-tinker-mock-{name}" for name in ("from", "peer-token", "unit", "base-url")
)
"""Headers of a request from another server: who sent it, the proof, what it is about, and the
address that the client used."""
RESULT_OF, NOT_MINE = "x-tinker-mock-result-of", "x-tinker-mock-not-mine"
"""Headers of an answer to another server."""
HOP_BY_HOP = {
    "connection",
    "content-length",
    "host",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
}
CONNECTING = 2.0
"""Seconds until a server that does not take a connection is asked about."""


class PeerGone(Exception):
    """The other server did not answer."""


class Peers:
    """Connections to the other servers. `token` proves that a request comes from one of them."""

    def __init__(self, me: str, token: str) -> None:
        self.me = me
        self.token = token
        limits = httpx.Limits(max_connections=None, max_keepalive_connections=None)
        timeout = httpx.Timeout(None, connect=CONNECTING)
        self._client = httpx.AsyncClient(limits=limits, timeout=timeout, trust_env=False)
        self._gone: dict[str, asyncio.Future[None]] = {}

    async def close(self) -> None:
        """End all connections."""
        await self._client.aclose()

    def remove(self, server: str) -> None:
        """A server is gone: nobody waits for its answers any longer."""
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
        told = {**(headers or {}), FROM: self.me, TOKEN: self.token}
        request = self._client.build_request(
            method, f"http://{peer.address}{path}", headers=told, content=content
        )
        gone = self._gone.setdefault(peer.id, asyncio.get_running_loop().create_future())
        asking = asyncio.ensure_future(self._answer(request))
        try:
            ends: set[asyncio.Future[Any]] = {asking, gone}
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
            if not asking.done():
                raise PeerGone(peer.id)
            return asking.result()
        except httpx.TransportError as error:
            raise PeerGone(peer.id) from error
        finally:
            asking.cancel()

    async def _answer(self, request: httpx.Request) -> Answer:
        response = await self._client.send(request, stream=True)
        kept: dict[str, Any] = {k: v for k, v in response.headers.items() if k not in HOP_BY_HOP}
        content_type = kept.pop("content-type", "")
        kept.pop("content-encoding", None)  # bodies leave here decoded
        kept.pop("date", None)
        kept.pop("server", None)
        if content_type.startswith(EVENT_STREAM):
            stream = _relay(response)
            return Answer(response.status_code, None, b"", content_type, kept, stream)
        try:
            content = await response.aread()
        finally:
            await response.aclose()
        return Answer(response.status_code, None, content, content_type or JSON, kept)


async def _relay(response: httpx.Response) -> AsyncIterator[bytes]:
    try:
        async for chunk in response.aiter_bytes():
            yield chunk
    finally:
        await response.aclose()
