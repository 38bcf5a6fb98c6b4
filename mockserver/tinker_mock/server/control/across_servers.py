"""The control API where several servers share a store: whichever is asked tells of all of them.

What is about one session, model or promise is done by its owner. How the mock behaves, its clock
and its keys are changed everywhere. Lists are put together. The rest is about the server that was
asked: its journal (unless all are asked for), its plans, its snapshots of curves and samples.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

import orjson

from tinker_mock.contracts import Operation
from tinker_mock.server.control import state
from tinker_mock.server.control.answerer import ControlAnswerer
from tinker_mock.server.database.units import unit_of_id
from tinker_mock.server.errors import GoingDown, ServiceError, Unauthenticated
from tinker_mock.server.wire.exchange import Answer, Exchange

if TYPE_CHECKING:
    from tinker_mock.server.cluster.cluster import Cluster
    from tinker_mock.server.cluster.membership import Peer

OWNERS = {"complete_promise", "expire_promise", "expire_session", "fail_promise", "lose_model"}
EVERYWHERE = {
    "add_script",
    "advance_clock",
    "clear_scripts",
    "put_key",
    "put_mutant",
    "put_quirks",
    "put_scenario",
    "reset_journal",
}
LISTS = {
    "list_lanes": ("lanes", "id"),
    "list_models": ("models", "model_id"),
    "list_promises": ("promises", "request_id"),
    "list_sessions": ("sessions", "session_id"),
}
"""Operation -> the list in its answer, and what names one of it."""
REPLACING = {"reset", "restore_snapshot"}
"""Operations after which the state is another one."""
JOURNALS = {"query_journal", "count_journal"}
PULLED = {"change_checkpoint", "download_checkpoint", "list_all_checkpoints"}
DONE = 300


class SharedControlAnswerer:
    """Answers what is under `/_mock` for all servers of a store."""

    def __init__(self, local: ControlAnswerer, cluster: Cluster) -> None:
        self.local = local
        self.cluster = cluster

    def authenticate(self, exchange: Exchange, operation: Operation) -> None:
        """Whoever may steer."""
        self.local.authenticate(exchange, operation)

    def refused(self, exchange: Exchange, error: ServiceError) -> None:
        """Nothing to add."""

    async def answer(self, exchange: Exchange) -> Answer:
        """What the operation does, here and elsewhere."""
        try:
            return await self._answer(exchange)
        except self.cluster.store.failures as error:
            raise self.cluster.store.refusal(error) from error

    async def _answer(self, exchange: Exchange) -> Answer:
        assert exchange.operation is not None
        name, cluster = exchange.operation.id, self.cluster
        if name in OWNERS:
            return await self._owners(exchange)
        if name == "reset":
            return await self._replace(exchange, cluster.store.empty)
        if name == "restore_snapshot":
            snapshot = await state.known_snapshot(self.local.control, exchange)
            return await self._replace(exchange, partial(cluster.store.become, snapshot))
        if name in PULLED or name in LISTS:
            await cluster.pull()
        answer = await self.local.answer(exchange)
        if name in EVERYWHERE:
            await self._ask_all(exchange)
        if name in LISTS:
            return await self._listed(exchange, answer)
        if name in JOURNALS and exchange.query.get("servers") == "all":
            return await self._journals(exchange, answer)
        if name == "get_state":
            return await self._states(exchange, answer)
        return answer

    async def _owners(self, exchange: Exchange) -> Answer:
        unit = await self.cluster.unit_of(exchange)
        owner = await self.cluster.owner(unit)
        if owner == self.cluster.me:
            return await self.local.answer(exchange)
        answer = await self._ask(owner, exchange)
        if answer is None:
            raise GoingDown(f"server {owner.id} does not answer", fix="repeat the request")
        return answer

    async def _replace(self, exchange: Exchange, replace: Callable[[], None]) -> Answer:
        """Everybody forgets what is theirs, the store is given another state, and what somebody
        came to know of the former meanwhile is forgotten too."""
        await self._ask_all(exchange)
        await self.cluster.let_go()
        await asyncio.to_thread(replace)
        await self._ask_all(exchange)
        await self.cluster.let_go()
        return await self.local.answer(exchange)

    async def _listed(self, exchange: Exchange, answer: Answer) -> Answer:
        assert exchange.operation is not None
        field, identity = LISTS[exchange.operation.id]
        found = {one[identity]: one for one in answer.body[field]}
        for told in await self._told(exchange):
            found.update({one[identity]: one for one in told[field]})
        return Answer(body={field: list(found.values())})

    async def _journals(self, exchange: Exchange, answer: Answer) -> Answer:
        others = await self._told(exchange)
        if "count" in answer.body:
            told = [answer.body, *others]
            return Answer(body={key: sum(one[key] for one in told) for key in answer.body})
        named = zip((self.cluster.me, *self.cluster.others), (answer.body, *others), strict=False)
        entries = [{**one, "server": peer.id} for peer, told in named for one in told["entries"]]
        entries.sort(key=lambda one: one.get("received_at", one.get("time", 0.0)))
        limit = exchange.query.get("limit") or len(entries)
        return Answer(body={"entries": entries[:limit]})

    async def _states(self, exchange: Exchange, answer: Answer) -> Answer:
        told = [{"id": self.cluster.me.id, **answer.body}, *await self._told(exchange)]
        units = await asyncio.to_thread(self.cluster.membership.loads)
        servers = [{**one, "units": units.get(one["id"], 0)} for one in told]
        return Answer(body={**answer.body, "servers": servers})

    async def _told(self, exchange: Exchange) -> list[Any]:
        """What each of the others says; nothing of those that do not answer."""
        answers = await self._ask_all(exchange)
        return [orjson.loads(one.encoded()) for one in answers if one and one.status < DONE]

    async def _ask_all(self, exchange: Exchange) -> list[Answer | None]:
        asked = [self._ask(peer, exchange) for peer in self.cluster.others]
        return list(await asyncio.gather(*asked))

    async def _ask(self, peer: Peer, exchange: Exchange) -> Answer | None:
        return await self.cluster.ask(peer, exchange)


class OwnersControlAnswerer:
    """Answers other servers for this one alone."""

    def __init__(self, local: ControlAnswerer, cluster: Cluster) -> None:
        self.local = local
        self.cluster = cluster

    def authenticate(self, exchange: Exchange, operation: Operation) -> None:
        """Another server of the store."""
        if not self.cluster.is_peer(exchange):
            raise Unauthenticated("this is where the servers of a store ask each other")

    def refused(self, exchange: Exchange, error: ServiceError) -> None:
        """Nothing to add."""

    async def answer(self, exchange: Exchange) -> Answer:
        """What is true of this server."""
        assert exchange.operation is not None
        name, cluster = exchange.operation.id, self.cluster
        if name in REPLACING:
            await cluster.let_go()
        if name == "get_state":
            await cluster.pull()
        answer = await self.local.answer(exchange)
        if name in LISTS:
            field, identity = LISTS[name]
            return Answer(body={field: owned(cluster, answer.body[field], identity)})
        if name == "get_state":
            return Answer(body={"id": cluster.me.id, **answer.body})
        return answer


def owned(
    cluster: Cluster, found: list[Mapping[str, Any]], identity: str
) -> list[Mapping[str, Any]]:
    """Those of a list that are this server's: others may have copies of sessions and models."""
    if identity not in ("model_id", "session_id"):
        return found
    return [one for one in found if cluster.owns(unit_of_id(one[identity]))]
