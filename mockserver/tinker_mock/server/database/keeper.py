"""Keeps a state in its place: everything that has changed by one instant is one commit.

Where it takes no time, little is written at once. Weights, large requests and what goes over a
network are written in a thread; what changes meanwhile gathers for the next commit.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from typing import Any, TypeVar

import orjson

from tinker_mock.server.clock import machine_timer
from tinker_mock.server.database.changes import (
    ROW,
    Change,
    Changes,
    gather,
    gather_new,
    name_of,
    was_gathered,
)
from tinker_mock.server.database.place import TIME, Place
from tinker_mock.server.database.weight_files import Filed
from tinker_mock.server.errors import StorageAway, StorageFull
from tinker_mock.server.state.promise import REPLAYED, Promise
from tinker_mock.server.state.store import State

T = TypeVar("T")
AGAIN = 0.2
"""Seconds until a place that was away is tried again."""
UNHURRIED = 0.05
"""Seconds until changes that nobody waits for are kept."""


class StateKeeper:
    """Implements `state.store.Keeper`."""

    def __init__(self, place: Place, now: Callable[[], float]) -> None:
        self.place = place
        self.now = now
        self.failure: Exception | None = None
        """Why the last commit failed; None while all is well."""
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="keeper")
        self._changes = Changes(self._changed)
        self._state = State()
        self._work: asyncio.Task[Any] | None = None
        """What the thread does; a commit waits for its end."""
        self._later: asyncio.TimerHandle | None = None
        self._expected = 0
        self._told = 0.0
        self._closed = False

    # --- the Keeper protocol ----------------------------------------------------------------

    def attach(self, state: State) -> None:
        self._state = state
        self._changes.watch(state, everything=True)

    def expect(self, size: int) -> None:
        self._expected += size

    def knows(self, promise: Promise) -> bool:
        return self._work is None and was_gathered(promise)

    def comes_again(self, promise: Promise) -> bool:
        alone = not self.place.shared  # others are told of what it changed once that is kept
        known = alone and promise.operation in REPLAYED and self.knows(promise)
        return known and self._changes.come_again(self._state, promise.lane_id)

    def keep_now(self) -> bool:
        if not self._busy and self._changes:
            self._commit()
        return not self._busy

    def keep_new(self, promise: Promise) -> bool:
        changes, lane = self._changes, self._state.lanes[promise.lane_id]
        apart = promise.open and promise.seq_id is not None and not was_gathered(promise)
        apart = apart and was_gathered(lane) and not (self.place.shared or self._busy)
        if not apart or changes.everything or self._expected + ROW >= self.place.at_once:
            return self.keep_now()
        self._expected = 0
        change = gather_new(changes, promise)
        with self._judged(change):
            self.place.write(change)
        if changes:
            self._changed()
        return True

    async def kept(self) -> None:
        if self._work is not None:
            await asyncio.shield(self._work)
        if not self.keep_now() and self._work is not None:
            await asyncio.shield(self._work)

    async def kept_in_time(self) -> None:
        while True:
            try:
                return await self.kept()
            except StorageAway:
                again = asyncio.Event()
                machine_timer(AGAIN, again.set)
                await again.wait()

    @property
    def _busy(self) -> bool:
        """The thread is at work. Work that has just ended may stand there for one turn more: what
        has changed since is not in it."""
        return self._work is not None and not self._work.done()

    # --- reading ----------------------------------------------------------------------------

    def load(self) -> State:
        """The state that is there; from now on its changes are kept."""
        self._state = self.place.load()
        self._changes.watch(self._state, everything=False)
        return self._state

    def share(self, tables: Iterable[str]) -> None:
        """Nothing of these tables is this server's to keep, until it adopts what is."""
        for name in tables:
            self._state.tables()[name].watch(None)

    def abandon(self, tables: Iterable[str]) -> State:
        """A state without anything, of which these tables are not this server's."""
        self._state = State()
        self._changes.watch(self._state, everything=False)
        self._changes.facts = {}
        self.share(tables)
        return self._state

    def adopt(self, found: State, tables: Iterable[str]) -> None:
        """These records, kept as they are, are this server's from now on; so are those tables."""
        state = self._state
        for name in tables:
            state.tables()[name].watch(self._changes.tables[name])
        for name, table in found.tables().items():
            target = state.tables()[name]
            for key, record in table.items():
                target.place(key, record, target.account)
        state.counters.take(found.counters)
        self._changes.begin_replays(found)

    async def request(self, request_id: str) -> tuple[str, dict[str, Any]]:
        """Operation and body of a request that may have to be done again."""
        return await self.in_thread(self.place.request, request_id)

    def fact(self, name: str) -> Any:
        """Something about the whole server, None when it was never told."""
        told = self._changes.facts.get(name)
        if told is not None:
            return orjson.loads(told)
        return self.place.fact(name)

    def tell(self, name: str, value: Any) -> None:
        """Keep something about the whole server, with the next commit."""
        self._changes.facts[name] = orjson.dumps(value)
        self._changed()

    # --- copies -----------------------------------------------------------------------------

    def copies(self) -> dict[str, float]:
        return self.place.copies()

    async def copy(self, name: str) -> None:
        self._told = self.now()
        self.tell(TIME, self._told)
        await self.kept()
        await self._apart(self.in_thread(self.place.copy, name))

    async def become(self, name: str) -> State:
        async def other() -> State:
            await self.in_thread(self.place.become, name)
            return self.load()  # what has changed in the state of before is not kept any more

        await self.kept()
        return await self._apart(other())

    async def forget(self, name: str) -> None:
        await self._apart(self.in_thread(self.place.forget, name))

    async def _apart(self, work: Coroutine[Any, Any, T]) -> T:
        """Do this while nothing is committed."""
        while self._work is not None:
            await asyncio.wait({self._work})
        task = self._work = asyncio.create_task(work)
        task.add_done_callback(self._worked)
        try:
            return await asyncio.shield(task)
        except self.place.failures as error:
            raise self.place.refusal(error) from error

    async def in_thread(self, work: Callable[..., T], *arguments: Any) -> T:
        """Do something with the place between two commits."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, work, *arguments)

    # --- writing ----------------------------------------------------------------------------

    def _changed(self) -> None:
        """Something is to be kept, even if nobody waits for it."""
        if self._later is None and self._work is None and not self._closed:
            # Before the loop runs, or from a thread, the next change will do.
            with suppress(RuntimeError):
                self._later = machine_timer(UNHURRIED, self._unhurried)

    def _unhurried(self) -> None:
        self._later = None
        if self._work is None and self._changes:
            with suppress(StorageFull):  # the next one who waits is told
                self._commit()

    def _commit(self) -> None:
        """Keep everything as it is in this instant: at once, or in the thread if it is much.

        Raises StorageFull.
        """
        change = gather(self._changes, self._state)
        if self.now() >= self._told + 1 or self.now() < self._told:
            self._told = self.now()
            change.facts[TIME] = orjson.dumps(self._told)
        expected, self._expected = self._expected, 0
        if expected + change.weight() < self.place.at_once:
            with self._judged(change):
                self.place.write(change)
        else:
            self._work = asyncio.create_task(self._write_in_thread(change))
            self._work.add_done_callback(self._worked)

    async def _write_in_thread(self, change: Change) -> None:
        with self._judged(change):
            await self.in_thread(self.place.write, change)

    @contextmanager
    def _judged(self, change: Change) -> Iterator[None]:
        try:
            yield
            self.failure = None
            self._finish(change)
        except self.place.failures as error:
            self._changes.put_back(change)
            self.failure = error
            raise self.place.refusal(error) from error

    def _worked(self, work: asyncio.Task[Any]) -> None:
        """The thread is free. Who waited is told how it went, and if nobody did, the next one."""
        if self._work is work:
            self._work = None
        if not work.cancelled():
            work.exception()
        if self._changes and self.failure is None:
            self._changed()

    def _finish(self, change: Change) -> None:
        """What is in files need not be in memory as well."""
        for filing in change.filings:
            record, name = filing.record, filing.field
            value = record.__dict__["_filed"][name][0]
            if getattr(record, name) is not value:
                continue  # it has been replaced meanwhile
            if name != "weights":
                value = record.__dict__[name] = Filed(self.place.files, filing.name)
            record.__dict__["_filed"][name] = (value, filing.name)
        for record, names in change.named:
            record.__dict__["_named"] = tuple(name and name_of(name) for name in names)

    def close(self) -> None:
        """Write what is left, and let go of the place."""
        self._closed = True
        if self._later is not None:
            self._later.cancel()
        self._thread.shutdown(wait=True)
        change = gather(self._changes, self._state)
        try:
            self.place.write(change)
        except self.place.failures as error:
            self.failure = error
        self.place.close()
