"""Whoever a client asks, the owner answers."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Protocol

from tinker_mock.contracts import Operation
from tinker_mock.server.clock import machine_seconds
from tinker_mock.server.cluster.cluster import Cluster, entrance
from tinker_mock.server.cluster.peers import (
    BASE,
    FROM,
    NOT_MINE,
    RESULT_OF,
    UNIT,
    PeerGone,
)
from tinker_mock.server.cluster.routing import ANYWHERE, OWN, TOLD, unit_named
from tinker_mock.server.errors import GoingDown, ServiceError, Unauthenticated
from tinker_mock.server.wire.exchange import Answer, Exchange

PATIENCE = 20.0
"""Seconds in which an owner is found, or another server becomes it."""
UNAVAILABLE = 503


class Answerer(Protocol):
    """Who answers what this server owns."""

    def authenticate(self, exchange: Exchange, operation: Operation) -> None: ...

    def answer(self, exchange: Exchange) -> Answer | Awaitable[Answer]: ...

    def refused(self, exchange: Exchange, error: ServiceError) -> None: ...


class SharedAnswerer:
    """Answers clients: what this server owns itself, the rest by asking its owner."""

    def __init__(self, local: Answerer, cluster: Cluster) -> None:
        self.local = local
        self.cluster = cluster

    def authenticate(self, exchange: Exchange, operation: Operation) -> None:
        """The credential's tenant."""
        self.local.authenticate(exchange, operation)

    def refused(self, exchange: Exchange, error: ServiceError) -> None:
        """As the server of its own that it is."""
        self.local.refused(exchange, error)

    def answer(self, exchange: Exchange) -> Answer | Awaitable[Answer]:
        """The owner's answer."""
        operation = exchange.operation
        assert operation is not None
        if operation.id in OWN and exchange.error is None:
            unit = unit_named(exchange)
            if unit is not None and unit in self.cluster.owned:
                return self.local.answer(exchange)
        return self._reached(exchange, operation)

    async def _reached(self, exchange: Exchange, operation: Operation) -> Answer:
        try:
            return await self._answer(exchange, operation)
        except self.cluster.store.failures as error:
            raise self.cluster.store.refusal(error) from error

    async def _answer(self, exchange: Exchange, operation: Operation) -> Answer:
        if isinstance(exchange.error, Unauthenticated):
            raise exchange.error
        if operation.id in ANYWHERE:
            return await here(self.local, exchange)
        until = machine_seconds() + PATIENCE
        while True:
            unit = await self.cluster.unit_of(exchange)
            owner = await self.cluster.owner(unit)
            if owner == self.cluster.me:
                return await owners(self.local, self.cluster, exchange, operation, owner.id)
            try:
                answer = await self.cluster.peers.forward(owner, exchange, unit)
            except PeerGone:
                answer = None
            refused = answer is None or NOT_MINE in answer.headers or answer.status == UNAVAILABLE
            if answer is not None and (not refused or machine_seconds() > until):
                exchange.result_of = answer.headers.pop(RESULT_OF, "")
                answer.headers.pop(NOT_MINE, None)
                return answer
            if machine_seconds() > until:
                raise GoingDown("no server answers for this", fix="repeat the request")
            await self.cluster.suspect(owner)


class OwnersAnswerer:
    """Answers other servers: what this one owns, and nothing else."""

    def __init__(self, local: Answerer, cluster: Cluster) -> None:
        self.local = local
        self.cluster = cluster

    def authenticate(self, exchange: Exchange, operation: Operation) -> None:
        """The credential's tenant; links are for the address that the client used."""
        if not self.cluster.is_peer(exchange):
            raise Unauthenticated("this is where the servers of a store ask each other")
        exchange.base_url = exchange.headers.get(BASE, exchange.base_url)
        self.local.authenticate(exchange, operation)

    def refused(self, exchange: Exchange, error: ServiceError) -> None:
        """As for a client of its own."""
        self.local.refused(exchange, error)

    async def answer(self, exchange: Exchange) -> Answer:
        """The answer, or that somebody else has to be asked."""
        assert exchange.operation is not None
        unit, at = exchange.headers.get(UNIT, ""), exchange.headers.get(FROM, "")
        try:
            if self.cluster.leaving or await self.cluster.owner(unit) != self.cluster.me:
                return Answer(UNAVAILABLE, headers={NOT_MINE: "1"})
            answer = await owners(self.local, self.cluster, exchange, exchange.operation, at)
        except self.cluster.store.failures as error:
            raise self.cluster.store.refusal(error) from error
        if exchange.result_of:
            answer.headers = {**answer.headers, RESULT_OF: exchange.result_of}
        return answer


async def owners(
    local: Answerer, cluster: Cluster, exchange: Exchange, operation: Operation, at: str
) -> Answer:
    """The answer of the owner, which this server is, to a client of the server `at`."""
    if operation.id not in OWN:
        await cluster.pull()
    entrance.set(at if operation.id == "create_session" else "")
    answer = await here(local, exchange)
    if operation.id in TOLD:
        await cluster.tell_all()
    return answer


async def here(local: Answerer, exchange: Exchange) -> Answer:
    """This server's own answer; raises what is wrong with the request."""
    if isinstance(exchange.error, ServiceError):
        raise exchange.error
    answer = local.answer(exchange)
    return answer if isinstance(answer, Answer) else await answer
