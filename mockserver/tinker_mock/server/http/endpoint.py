"""From an ASGI request to its answer: the one path every operation takes."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

from tinker_mock.server.errors import GoingDown, ServiceError
from tinker_mock.server.http.aliases import rewrite_alias
from tinker_mock.server.http.bodies import ClientGone, decode_body, judge_parameters, read_body
from tinker_mock.server.http.response_check import judge_answer
from tinker_mock.server.service.submission import lane_of
from tinker_mock.server.text.error_shapes import in_api_shape
from tinker_mock.server.wire.dialects import dialect_of
from tinker_mock.server.wire.error_hints import diagnose
from tinker_mock.server.wire.exchange import Answer, Exchange, Receive, Send
from tinker_mock.server.wire.problems import internal_error, problem
from tinker_mock.server.wire.sse import send_while_connected

if TYPE_CHECKING:
    from tinker_mock.contracts import Operation
    from tinker_mock.server.simulator import Simulator

log = logging.getLogger(__name__)
Handler = Callable[[Exchange], Awaitable[Answer | dict[str, Any]] | Answer | dict[str, Any]]
WAITING = {"retrieve_future", "retrieve_futures"}
"""Operations that may park: their handler is dropped when the client hangs up."""
ORDERED = {
    "forward", "forward_backward", "optim_step", "save_weights", "save_weights_for_sampler",
    "save_weights_external", "load_weights",
}  # fmt: skip
"""Operations whose seq_id counts in a model's lane, even when they are refused."""


LOGIN: list[dict[str, list[str]]] = [{"Bearer": []}]
"""Security of operations for logged-in users: the handler judges their token."""
FINAL = {400, 403, 404, 410, 413, 415, 422}
"""Refusals that clients do not repeat."""


class Pipeline:
    """Runs exchanges. One for the whole server."""

    def __init__(self, simulator: Simulator, handlers: Mapping[str, Handler]) -> None:
        self.simulator = simulator
        self.handlers = handlers

    async def run(
        self,
        operation: Operation | None,
        scope: Mapping[str, Any],
        receive: Receive,
        send: Send,
        refusal: ServiceError | None = None,
    ) -> None:
        """Serve one request. Without an operation the answer is `refusal`."""
        exchange = self.exchange(operation, scope)
        simulator = self.simulator
        simulator.journal.open(exchange)
        try:
            with simulator.clock.busy():
                answer = await self._answer(exchange, receive, refusal)
                exchange.answer = answer
                exchange.answered_at = simulator.clock.now()
                await self.deliver(exchange, answer, receive, send)
        except ClientGone:
            exchange.client_gone = True
        finally:
            simulator.journal.close(exchange)

    async def deliver(
        self, exchange: Exchange, answer: Answer, receive: Receive, send: Send
    ) -> None:
        """Put the answer on the wire; a stream's source ends with its client."""
        source = answer.stream
        sending = self.simulator.faults.send(exchange, answer, send)
        if source is None:
            await sending
            return
        try:
            if not await send_while_connected(sending, receive):
                raise ClientGone
        finally:
            if isinstance(source, AsyncGenerator):
                await source.aclose()

    def exchange(self, operation: Operation | None, scope: Mapping[str, Any]) -> Exchange:
        """A request as the first stage sees it."""
        headers = {k.decode("latin-1").lower(): v.decode("latin-1") for k, v in scope["headers"]}
        query = parse_qsl(scope.get("query_string", b"").decode("latin-1"), keep_blank_values=True)
        return Exchange(
            simulator=self.simulator,
            method=scope["method"],
            path=scope["path"],
            headers=headers,
            query=dict(query),
            path_params={k: str(v) for k, v in scope.get("path_params", {}).items()},
            operation=operation,
            client=scope.get("client"),
            scope=scope,
            received_at=self.simulator.clock.now(),
            dialect=dialect_of(headers),
        )

    async def _answer(
        self, exchange: Exchange, receive: Receive, refusal: ServiceError | None
    ) -> Answer:
        try:
            exchange.raw_body = await read_body(receive)
            answer = await self.simulator.faults.before(exchange)
            if answer is None:
                if refusal is not None:
                    raise refusal
                answer = await self._handle(exchange, receive)
                for _ in range(1, self.simulator.faults.deliveries(exchange)):
                    answer = await self._handle(exchange, receive)
        except ServiceError as error:
            exchange.error = error
            answer = problem(diagnose(error, exchange.operation))
            if error.status in FINAL:
                self._skip_number(exchange)
        except ClientGone:
            raise
        except Exception as error:
            log.exception("%s %s", exchange.method, exchange.path)
            exchange.error = error
            answer = internal_error(error)
        answer = in_api_shape(exchange.path, answer)
        await judge_answer(exchange, answer)
        return self.simulator.mutants.rewrite(exchange, answer)

    async def _handle(self, exchange: Exchange, receive: Receive) -> Answer:
        operation = exchange.operation
        assert operation is not None
        if operation.security not in ([], LOGIN):
            exchange.tenant = self.simulator.authenticator.tenant(exchange.headers)
            exchange.dialect = dialect_of(exchange.headers, exchange.tenant.sdk_version)
        rewrite_alias(exchange, operation)
        judge_parameters(exchange, operation)
        await decode_body(exchange, operation)
        self.simulator.mutants.prepare(exchange)
        outcome = await self._call(operation, exchange, receive)
        return outcome if isinstance(outcome, Answer) else Answer(body=outcome)

    async def _call(self, operation: Operation, exchange: Exchange, receive: Receive) -> Any:
        outcome = self.handlers[operation.id](exchange)
        if not isinstance(outcome, Awaitable):
            return outcome
        if operation.id in WAITING:
            return await self._while_connected(outcome, exchange, receive)
        return await outcome

    async def _while_connected(
        self, work: Awaitable[Any], exchange: Exchange, receive: Receive
    ) -> Any:
        """Await a handler that may park, unless the client hangs up first."""
        task = asyncio.ensure_future(work)
        await asyncio.sleep(0)
        if task.done():
            return task.result()
        hung_up = asyncio.ensure_future(receive())
        self.simulator.parked.add(task)
        try:
            await asyncio.wait({task, hung_up}, return_when=asyncio.FIRST_COMPLETED)
            if not task.done() and hung_up.result()["type"] == "http.disconnect":
                raise ClientGone
            if task.cancelled():
                raise GoingDown("the server is shutting down", fix="repeat the request")
            return await task
        finally:
            self.simulator.parked.discard(task)
            for pending in (task, hung_up):
                pending.cancel()
                with suppress(asyncio.CancelledError):
                    await pending

    def _skip_number(self, exchange: Exchange) -> None:
        """A refused request of a model's lane has used its seq_id: do not wait for it."""
        operation, body = exchange.operation, exchange.body
        if operation is None or operation.id not in ORDERED or not isinstance(body, dict):
            return
        model_id, seq_id = body.get("model_id"), body.get("seq_id")
        run = self.simulator.state.runs.get(model_id) if isinstance(model_id, str) else None
        tenant = exchange.tenant
        if run is None or tenant is None or run.tenant_id != tenant.id:
            return
        if isinstance(seq_id, int) and seq_id > 0:
            self.simulator.promises.skip(lane_of(run.id), seq_id)
