"""An upstream that answers in the mock's place: the proxy."""

from collections.abc import AsyncIterator

import httpx
import orjson

from tinker_mock.contracts import Operation
from tinker_mock.server.effects import PROMISE_READS
from tinker_mock.server.errors import ServiceError
from tinker_mock.server.lru import LruCache
from tinker_mock.server.settings import PREFIXES
from tinker_mock.server.wire.exchange import EVENT_STREAM, JSON, Answer, Exchange
from tinker_mock.server.wire.hop_by_hop import HOP_BY_HOP

PROMISES_KEPT = 100_000


class UpstreamFailed(ServiceError):
    """The upstream cannot be reached or broke off."""

    status = 502
    kind = "upstream"


class UpstreamAnswerer:
    """Forwards requests unchanged, whatever the contract says of them."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self.client = client
        self._promised: LruCache[str, str] = LruCache(PROMISES_KEPT)
        """Request id -> the operation whose result its polls will give."""

    def authenticate(self, exchange: Exchange, operation: Operation) -> None:
        """The upstream's own business."""

    def refused(self, exchange: Exchange, error: ServiceError) -> None:
        """Nothing to add."""

    async def answer(self, exchange: Exchange) -> Answer:
        """The upstream's answer; raises UpstreamFailed."""
        if exchange.operation is not None and exchange.operation.id in PROMISE_READS:
            exchange.result_of = self._promised.get(_request_id(exchange.body)) or ""
        try:
            answer = await self._forward(exchange)
        except httpx.TransportError as error:
            reason = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
            raise UpstreamFailed(
                f"upstream {self.client.base_url} failed: {reason}",
                fix="check --upstream and the network",
            ) from error
        self._remember_promise(exchange, answer)
        return answer

    async def _forward(self, exchange: Exchange) -> Answer:
        path, query = _bare(exchange.path), exchange.raw_query.decode("latin-1")
        request = self.client.build_request(
            exchange.method,
            f"{path}?{query}" if query else path,
            headers={k: v for k, v in exchange.headers.items() if k not in HOP_BY_HOP},
            content=exchange.raw_body,
        )
        response = await self.client.send(request, stream=True)
        kept = {k: v for k, v in response.headers.items() if k not in HOP_BY_HOP}
        content_type = kept.pop("content-type", "")
        kept.pop("content-encoding", None)  # bodies leave here decoded
        if content_type.startswith(EVENT_STREAM):
            stream = _relay(response)
            return Answer(response.status_code, None, b"", content_type, kept, stream)
        try:
            content = await response.aread()
        finally:
            await response.aclose()
        return Answer(response.status_code, None, content, content_type or JSON, kept)

    def _remember_promise(self, exchange: Exchange, answer: Answer) -> None:
        operation = exchange.operation
        if operation is None or not operation.promised or answer.status != 200:
            return
        try:
            request_id = _request_id(orjson.loads(answer.encoded()))
        except orjson.JSONDecodeError:
            return
        if request_id:
            self._promised.put(request_id, operation.id)


def _request_id(body: object) -> str:
    return str(body.get("request_id", "")) if isinstance(body, dict) else ""


async def _relay(response: httpx.Response) -> AsyncIterator[bytes]:
    try:
        async for chunk in response.aiter_bytes():
            yield chunk
    finally:
        await response.aclose()


def _bare(path: str) -> str:
    """The path without the service's prefix: the upstream's own prefix is in its address."""
    found = next((p for p in PREFIXES if p and path.startswith(p + "/")), "")
    return path[len(found) :]
