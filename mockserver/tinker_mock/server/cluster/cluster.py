"""One server among those that share a store: what it owns, and who owns the rest."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import suppress
from contextvars import ContextVar
from hmac import compare_digest
from typing import TYPE_CHECKING

from tinker_mock.server.clock import machine_wait
from tinker_mock.server.cluster.copies import SHARED, Copies
from tinker_mock.server.cluster.membership import HEARTBEAT, Membership, Peer
from tinker_mock.server.cluster.peers import TOKEN, PeerGone, Peers
from tinker_mock.server.cluster.routing import request_named, unit_named
from tinker_mock.server.database.units import SERVICE
from tinker_mock.server.errors import StorageFull
from tinker_mock.server.lru import LruCache
from tinker_mock.server.service.backend import Backend
from tinker_mock.server.wire.exchange import Answer, Exchange

if TYPE_CHECKING:
    from tinker_mock.server.database.keeper import StateKeeper
    from tinker_mock.server.database.shared_store import SharedStore

log = logging.getLogger(__name__)
REQUESTS_KNOWN = 100_000
PAUSE = 0.05
"""Seconds until a server that does not answer, and is not known to be gone, is asked again."""

entrance: ContextVar[str] = ContextVar("entrance", default="")
"""The server whose client opens a session with the current request."""


class Cluster:
    """What this server owns. Lives on the event loop; the database is asked in threads.

    `recall` is called when how the mock behaves was changed elsewhere.
    """

    def __init__(
        self, backend: Backend, keeper: StateKeeper, store: SharedStore, address: str
    ) -> None:
        self.backend = backend
        self.keeper = keeper
        self.store = store
        self.membership = Membership(store, address, self._told)
        self.me = self.membership.me
        token = backend.signer.digest("peer").hex()
        self.peers = Peers(self.me.id, token)
        self.copies = Copies(store)
        self.owned: set[str] = set()
        self.recall: Callable[[], None] = lambda: None
        self.others: list[Peer] = []
        self.leaving = False
        """Nothing is begun here any more."""
        self._loads: dict[str, int] = {}
        self._owners: dict[str, Peer] = {}
        self._units: LruCache[str, str] = LruCache(REQUESTS_KNOWN)
        """Request id -> what the promise belongs to."""
        self._assigned: dict[str, str] = {}
        self._adopting, self._pulling = asyncio.Lock(), asyncio.Lock()
        self._woken, self._said = asyncio.Event(), asyncio.Event()
        self._watching: asyncio.Task[None] | None = None
        self._loop: asyncio.AbstractEventLoop
        backend.store.owns = self.owns
        backend.store.opened = self._opened
        store.owner_of_new = lambda unit: self._assigned.get(unit, self.me.id)
        store.replaced = self._replaced
        self._leaving_off: asyncio.Task[None] | None = None

    # --- coming and going -------------------------------------------------------------------

    async def open(self) -> None:
        """Take part."""
        self._loop = asyncio.get_running_loop()
        self.keeper.share(SHARED)
        await asyncio.to_thread(self.membership.join)
        self.backend.store.server = f".{self.me.id}"
        await self._look()
        await self.pull()
        await self.owner(SERVICE)
        self._watching = asyncio.create_task(self._watch())

    async def leave(self) -> None:
        """The state is kept: let others go on with it."""
        if self._watching is not None:
            self._watching.cancel()
        with suppress(*self.store.failures):
            await asyncio.to_thread(self.membership.leave)
        self.peers.close()

    def _told(self, what: str) -> None:
        """A notification; in the thread that listens."""
        with suppress(RuntimeError):  # the loop is closed
            self._loop.call_soon_threadsafe(self._notified, what)

    def _notified(self, what: str) -> None:
        self._owners.clear()
        self._woken.set()
        self._said.set()
        self._said = asyncio.Event()

    async def _watch(self) -> None:
        """Now and then, and when something was said: see who is there, and take over."""
        while True:
            with suppress(TimeoutError):
                await machine_wait(self._woken.wait(), HEARTBEAT)
            self._woken.clear()
            try:
                await self._look()
                await self._take_over(await asyncio.to_thread(self.membership.orphans))
                if self._loads.get(self.me.id, 0) > len(self.owned):
                    for unit in await asyncio.to_thread(self.membership.mine):
                        await self._adopt(unit)  # sessions that were opened elsewhere for this one
            except self.store.failures as error:
                log.warning("store: %s", error)

    async def _look(self) -> None:
        """Who is there."""
        await asyncio.to_thread(self.membership.remove_gone)
        found = await asyncio.to_thread(self.membership.peers)
        self._loads = await asyncio.to_thread(self.membership.loads)
        for peer in self.others:
            if peer not in found:
                self.peers.remove(peer.id)
                self._owners.clear()
        self.others = found

    async def _take_over(self, orphans: list[str]) -> None:
        for unit in await asyncio.to_thread(self.membership.claim, orphans) if orphans else ():
            await self._adopt(unit)

    async def suspect(self, peer: Peer) -> None:
        """A server did not answer."""
        self._owners.clear()
        await self._look()
        if peer in self.others:
            with suppress(TimeoutError):
                await machine_wait(self._said.wait(), PAUSE)

    # --- who owns what ----------------------------------------------------------------------

    def owns(self, unit: str) -> bool:
        """Whether what is of that session ("" for what is of none) is this server's."""
        return (unit or SERVICE) in self.owned

    async def unit_of(self, exchange: Exchange) -> str:
        """What a request is about."""
        unit = unit_named(exchange)
        return await self.unit_of_request(request_named(exchange)) if unit is None else unit

    async def unit_of_request(self, request_id: str) -> str:
        """What a promise belongs to; the service's for one that is not known."""
        here = self.backend.state.promises.get(request_id)
        if here is not None:
            return here.session_id or SERVICE
        known = self._units.get(request_id)
        if known is None:
            known = await asyncio.to_thread(self.store.unit_of_request, request_id)
            if known is None:
                return SERVICE
            self._units.put(request_id, known)
        return known

    async def owner(self, unit: str) -> Peer:
        """Who owns a unit: a server that is there, or this one from now on."""
        if unit in self.owned:
            return self.me
        known = self._owners.get(unit)
        if known is not None:
            return known
        found = await asyncio.to_thread(self.membership.owner, unit)
        if found is None:
            return await self.owner(SERVICE)
        if found.id == self.me.id:
            await self._adopt(unit)
            return self.me
        if len(self._owners) >= REQUESTS_KNOWN:
            self._owners.clear()
        self._owners[unit] = found
        return found

    def _opened(self, session_id: str) -> None:
        """A session was opened here; it may be for another server to own."""
        at = entrance.get()
        wanted = self._least(at) if at else self.me.id
        if wanted == self.me.id:
            self.owned.add(session_id)
        else:
            self._assigned[session_id] = wanted
        self._loads[wanted] = self._loads.get(wanted, 0) + 1

    def _least(self, at: str) -> str:
        """The server where a client is, unless another one has much less to do."""
        loads = {one.id: self._loads.get(one.id, 0) for one in (self.me, *self.others)}
        least = min(loads, key=lambda server: (loads[server], server))
        return at if at in loads and loads[at] <= loads[least] + 1 else least

    # --- knowing and owning -----------------------------------------------------------------

    async def pull(self) -> None:
        """Know everything that others had committed when this was called."""
        async with self._pulling:
            news = await asyncio.to_thread(self.copies.news)
            self.copies.enter(self.backend.state, news, self.owned)
            known = self.backend.state.sessions
            for unit in [one for one in self._assigned if one in known]:
                if not known[unit].watched:  # it is kept, and another server's
                    del self._assigned[unit]

    async def _adopt(self, unit: str) -> None:
        """Go on with a unit that is this server's now."""
        async with self._adopting:
            if unit in self.owned:
                return
            await self.pull()
            found = await asyncio.to_thread(self.store.load_unit, unit)
            self.keeper.adopt(found, SHARED if unit == SERVICE else ())
            self.owned.add(unit)
            self._assigned.pop(unit, None)
            if unit == SERVICE:
                self.recall()
            for session in found.sessions.values():
                if session.ended_at is None:
                    session.last_heartbeat = self.backend.clock.now()  # nobody has heard them
            self.backend.promises.take_up(found.promises.values(), found.lanes.values())
            log.info("took over %s", unit)

    def _replaced(self) -> None:
        """The state is another one, and nobody has said so yet; in any thread."""

        def leave_off() -> None:
            if self._leaving_off is None or self._leaving_off.done():
                self._leaving_off = asyncio.create_task(self.let_go())

        with suppress(RuntimeError):  # the loop is closed
            self._loop.call_soon_threadsafe(leave_off)

    async def let_go(self) -> None:
        """Own and know nothing: the state is about to be another one, or is."""
        self.backend.promises.stop()
        async with self._adopting, self._pulling:
            with suppress(StorageFull):
                await self.keeper.kept()
            self.owned.clear()
            self._owners.clear()
            self._assigned.clear()
            self.backend.store.current = self.keeper.abandon(SHARED)
            self.copies.forget()
            self.backend.promises.reload()
            await self.keeper.in_thread(self.store.begin_anew)  # after what is being committed

    # --- other servers ----------------------------------------------------------------------

    def is_peer(self, exchange: Exchange) -> bool:
        """Whether a request comes from a server of the store."""
        given = exchange.headers.get(TOKEN, "")
        return compare_digest(given.encode(), self.peers.token.encode())

    async def tell_all(self) -> None:
        """Return once every server knows what was committed until now."""
        await asyncio.gather(*(self._tell(peer) for peer in self.others))

    async def _tell(self, peer: Peer) -> None:
        with suppress(PeerGone):
            await self.peers.ask(peer, "GET", "/_mock/state")

    async def ask(self, peer: Peer, exchange: Exchange) -> Answer | None:
        """Another server's answer; None when there is none."""
        try:
            return await self.peers.forward(peer, exchange, "")
        except PeerGone:
            return None
