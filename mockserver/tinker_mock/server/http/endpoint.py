"""From an ASGI request to its answer: the one path of the mock, its control API and the proxy."""

import logging
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from typing import Any, Protocol
from urllib.parse import parse_qsl

from tinker_mock.contracts import Operation
from tinker_mock.server.access import Access
from tinker_mock.server.errors import GoingDown, ServiceError, forgetful
from tinker_mock.server.faults.connection import cut
from tinker_mock.server.http.aliases import rewrite_alias
from tinker_mock.server.http.head import refused_head
from tinker_mock.server.http.request_check import RequestRules, decode_body, judge_parameters
from tinker_mock.server.http.traffic import Traffic
from tinker_mock.server.service.compute import Compute
from tinker_mock.server.wire.connection import ClientGone, Connection, ParkedWork
from tinker_mock.server.wire.dialects import dialect_of
from tinker_mock.server.wire.exchange import TEXTS, Answer, Exchange, Receive, Send
from tinker_mock.server.wire.intake import Intake
from tinker_mock.server.wire.problems import internal_error, problem

log = logging.getLogger(__name__)


class Answerer(Protocol):
    """Who answers: the mock's handlers, the control API's, or an upstream."""

    def authenticate(self, exchange: Exchange, operation: Operation) -> None:
        """Find out whose request it is. Raises Unauthenticated."""

    def answer(self, exchange: Exchange) -> Answer | Awaitable[Answer]:
        """Answer a request that was held to the contract; awaitable where that takes time."""

    def refused(self, exchange: Exchange, error: ServiceError) -> None:
        """The request will be refused; what the error lacks may be filled in."""


class Endpoint:
    """Takes exchanges from their request to the end of their answer.

    `shaped` gives a refusal the form of its path's API.
    """

    def __init__(
        self,
        answerer: Answerer,
        traffic: Traffic,
        parked: ParkedWork,
        intake: Intake,
        access: Access,
        compute: Compute,
        rules: RequestRules,
        base_url: str = "",
        shaped: Callable[[str, Answer], Answer] = lambda path, answer: answer,
    ) -> None:
        self.answerer = answerer
        self.traffic = traffic
        self.parked = parked
        self.intake = intake
        self.access = access
        self.compute = compute
        self.rules = rules
        self.base_url = base_url
        self.shaped = shaped

    async def run(
        self,
        operation: Operation | None,
        scope: Mapping[str, Any],
        receive: Receive,
        send: Send,
        refusal: ServiceError | None = None,
    ) -> None:
        """Serve one request. `refusal` is what is wrong with one that has no operation."""
        exchange = self._exchange(operation, scope)
        refusal = refused_head(scope, exchange.headers) or refusal
        async with Connection(receive, self.parked, self.intake) as connection:
            with self.traffic.watch(exchange):
                try:
                    answer = await self._answer(exchange, connection, refusal)
                    exchange.answer = answer
                    patient = connection.sending(send)
                    await self._deliver(exchange, answer, connection, patient)
                except ClientGone:
                    exchange.client_gone = True
            if connection.stalled:
                cut(reset=True)

    def _exchange(self, operation: Operation | None, scope: Mapping[str, Any]) -> Exchange:
        headers = scope.get(TEXTS) or {
            str(k, "latin-1").lower(): str(v, "latin-1") for k, v in scope["headers"]
        }
        if len(headers) < len(scope["headers"]) and "accept" in headers:
            headers["accept"] = _all_accepted(scope["headers"])
        raw_query = scope.get("query_string", b"")
        base_url = self.base_url or f"{scope.get('scheme', 'http')}://{self._host(headers, scope)}"
        asked = parse_qsl(raw_query.decode("latin-1"), keep_blank_values=True) if raw_query else ()
        return Exchange(
            method=scope["method"],
            path=scope["path"],
            headers=headers,
            dialect=dialect_of(headers),
            query=dict(asked),
            path_params={k: str(v) for k, v in scope.get("path_params", {}).items()},
            operation=operation,
            raw_query=raw_query,
            base_url=f"{base_url}{scope.get('root_path', '')}",
        )

    def _host(self, headers: Mapping[str, str], scope: Mapping[str, Any]) -> str:
        """The name that the client used, if nobody else can mean another machine by it."""
        host = headers.get("host", "")
        if self.access.is_own(host):
            return host
        name, port = scope.get("server") or ("127.0.0.1", None)
        name = f"[{name}]" if ":" in name else name
        return f"{name}:{port}" if port else str(name)

    async def _answer(
        self, exchange: Exchange, connection: Connection, refusal: ServiceError | None
    ) -> Answer:
        try:
            length = exchange.headers.get("content-length", "")
            exchange.raw_body = await connection.body(length)
            answer = await self.traffic.before(exchange)
            if answer is None:
                answer = await self._ask(exchange, connection, refusal)
                for _ in range(1, self.traffic.deliveries(exchange)):
                    answer = await self._ask(exchange, connection, refusal)
        except ClientGone:
            raise
        except ServiceError as error:
            exchange.error = forgetful(error)
            self.answerer.refused(exchange, error)
            answer = problem(error)
        except Exception as error:
            log.exception("%s %s", exchange.method, exchange.path)
            exchange.error = forgetful(error)
            answer = internal_error(error)
        return await self.traffic.after(exchange, self.shaped(exchange.path, answer))

    async def _ask(
        self, exchange: Exchange, connection: Connection, refusal: ServiceError | None
    ) -> Answer:
        try:
            if refusal is not None:
                raise refusal
            await self._judge(exchange, connection)
        except ServiceError as error:
            if self.rules.refuse:
                raise
            exchange.error = forgetful(error)
        self.traffic.prepare(exchange)
        answer = self.answerer.answer(exchange)
        return answer if isinstance(answer, Answer) else await connection.wait_for(answer)

    async def _judge(self, exchange: Exchange, connection: Connection) -> None:
        """Whose request it is, and whether it keeps the contract."""
        operation = exchange.operation
        assert operation is not None
        self.answerer.authenticate(exchange, operation)
        rewrite_alias(exchange, operation)
        judge_parameters(exchange, operation)
        await decode_body(exchange, operation, self.rules, connection, self.compute)

    async def _deliver(
        self, exchange: Exchange, answer: Answer, connection: Connection, send: Send
    ) -> None:
        """Put the answer on the wire; a stream's source ends with its client."""
        source = answer.stream
        sending = self.traffic.send(exchange, answer, send)
        if source is None:
            await sending
            return
        try:
            await connection.wait_for(sending)
        except GoingDown:
            log.info("%s %s: ended in the middle of a stream", exchange.method, exchange.path)
        finally:
            if isinstance(source, AsyncGenerator):
                await source.aclose()


def _all_accepted(headers: Sequence[tuple[bytes, bytes]]) -> str:
    """The Accept header of a client that sends several: SDK 0.7 does, for an archive."""
    found = [value for name, value in headers if name.lower() == b"accept"]
    return str(b", ".join(found), "latin-1")
