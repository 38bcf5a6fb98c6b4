"""Forwards exchanges to the upstream and judges both directions by the contract."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Mapping
from typing import TYPE_CHECKING, Any

import httpx
import orjson

from tinker_mock.server.errors import ServiceError
from tinker_mock.server.http.bodies import ClientGone, decode_body, judge_parameters, read_body
from tinker_mock.server.http.endpoint import Pipeline
from tinker_mock.server.settings import PREFIXES
from tinker_mock.server.wire.exchange import EVENT_STREAM, JSON, Answer, Exchange, Receive, Send
from tinker_mock.server.wire.problems import problem
from tinker_mock.server.wire.sse import until_disconnect

if TYPE_CHECKING:
    from tinker_mock.contracts import Operation

log = logging.getLogger(__name__)
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


class UpstreamFailed(ServiceError):
    """The upstream cannot be reached or broke off."""

    status = 502
    kind = "upstream"


class Forwarder:
    """Takes the pipeline's place behind the routes: nothing is answered here but faults."""

    def __init__(self, pipeline: Pipeline, upstream: httpx.AsyncClient) -> None:
        self.pipeline = pipeline
        self.upstream = upstream

    async def run(
        self,
        operation: Operation | None,
        scope: Mapping[str, Any],
        receive: Receive,
        send: Send,
        refusal: ServiceError | None = None,
    ) -> None:
        """Forward one request. `refusal` is what the mock would have said to an unknown one."""
        exchange = self.pipeline.exchange(operation, scope)
        simulator = self.pipeline.simulator
        simulator.journal.open(exchange)
        exchange.error = refusal
        try:
            exchange.raw_body = await read_body(receive)
            await judge_request(exchange)
            answer = await self._answer(exchange, receive)
            exchange.answer = answer
            await self.pipeline.deliver(exchange, answer, receive, send)
        except ClientGone:
            exchange.client_gone = True
        finally:
            simulator.journal.close(exchange)

    async def _answer(self, exchange: Exchange, receive: Receive) -> Answer:
        try:
            answer = await self.pipeline.simulator.faults.before(exchange)
            if answer is not None:
                return answer
            answer = await self._while_connected(exchange, receive)
        except httpx.TransportError as error:
            reason = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
            return problem(
                UpstreamFailed(
                    f"upstream {self.upstream.base_url} failed: {reason}",
                    fix="check --upstream and the network",
                )
            )
        except ServiceError as error:
            return problem(error)
        judge_answer(exchange, answer)
        return answer

    async def _while_connected(self, exchange: Exchange, receive: Receive) -> Answer:
        """The upstream's answer; a client that hangs up ends the request upstream too."""
        work = asyncio.ensure_future(self._forward(exchange))
        gone = asyncio.ensure_future(until_disconnect(receive))
        parked = self.pipeline.simulator.parked
        parked.add(work)
        try:
            await asyncio.wait({work, gone}, return_when=asyncio.FIRST_COMPLETED)
            if not work.done():
                raise ClientGone
            return work.result()
        finally:
            parked.discard(work)
            for task in (work, gone):
                task.cancel()
            await asyncio.gather(work, gone, return_exceptions=True)

    async def _forward(self, exchange: Exchange) -> Answer:
        headers = {k: v for k, v in exchange.headers.items() if k not in HOP_BY_HOP}
        request = self.upstream.build_request(
            exchange.method,
            _bare(exchange.path),
            params=list(exchange.query.items()),
            headers=headers,
            content=exchange.raw_body,
        )
        response = await self.upstream.send(request, stream=True)
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


async def judge_request(exchange: Exchange) -> None:
    """Note what the mock would have refused; the request goes on regardless."""
    if exchange.operation is None:
        return
    try:
        judge_parameters(exchange, exchange.operation)
        await decode_body(exchange, exchange.operation)
    except ServiceError as error:
        exchange.error = error


def judge_answer(exchange: Exchange, answer: Answer) -> None:
    """Note where the upstream's answer leaves the contract."""
    operation = exchange.operation
    if operation is None or answer.stream is not None or answer.status in (204, 304):
        return
    body: Any = answer.content or b""
    kind = answer.content_type.split(";")[0].strip().lower()
    if kind == JSON:
        try:
            body = orjson.loads(body)
        except orjson.JSONDecodeError:
            body = None
    exchange.response_violations = operation.check_response(answer.status, body, kind)
    for violation in exchange.response_violations:
        log.warning("upstream answered %s out of contract: %s", operation.id, violation)
