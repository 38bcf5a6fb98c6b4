"""Keeps a state in a data directory: everything that has changed by one instant is one commit.

Little is written at once. Weights and large requests are written in a thread, files first, then
everything in one transaction; what changes meanwhile gathers for the next one.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar

import orjson

from tinker_mock.server.clock import Clock, machine_timer
from tinker_mock.server.database.changes import Change, Changes, gather, statements, was_gathered
from tinker_mock.server.database.directory import DATABASE, DataDirectory
from tinker_mock.server.database.loading import load_state
from tinker_mock.server.database.schema import EVERYTHING
from tinker_mock.server.database.sqlite import Database, Statement
from tinker_mock.server.database.values import decode
from tinker_mock.server.database.weight_files import Filed
from tinker_mock.server.errors import ConfigurationError, StorageFull
from tinker_mock.server.state.promise import Promise
from tinker_mock.server.state.store import State

T = TypeVar("T")
SEED, TIME = "seed", "time"
"""Facts: what ids follow from, and the Unix time of the last commit."""
UNHURRIED = 0.02
"""Seconds until changes that nobody waits for are kept."""
IN_THREAD = 64 * 1024
"""Bytes from which on a commit is written in the thread."""
SWEEP_AFTER = 200
"""Commits that let go of weights, between looks for files that nothing names."""


def lasting(path: Path, seed: int, clock: Clock) -> DirectoryKeeper:
    """The keeper of a data directory, whose time the clock goes on with.

    Raises ConfigurationError when it cannot be used, or belongs to runs with another seed.
    """
    directory = DataDirectory(path)
    keeper = DirectoryKeeper(directory, clock.now)
    known = keeper.fact(SEED)
    if known is None:
        fact = "INSERT INTO facts (id, value) VALUES (?, ?)"
        directory.database.write([(fact, (SEED, orjson.dumps(seed)))])
    elif known != seed:
        directory.close()
        raise ConfigurationError(
            f"--data-dir {path}: its ids follow from seed {known}, not {seed}; leave --seed out"
        )
    clock.forward_to(keeper.fact(TIME) or 0.0)
    return keeper


def stored_seed(path: Path) -> int | None:
    """The seed of a data directory, None for one that is new; looks without opening it."""
    file = path / DATABASE
    if not file.exists():
        return None
    with closing(sqlite3.connect(file)) as connection:
        try:
            row = connection.execute("SELECT value FROM facts WHERE id = ?", (SEED,)).fetchone()
        except sqlite3.Error:
            return None  # opening it says what is wrong
    return None if row is None else int(orjson.loads(row[0]))


class DirectoryKeeper:
    """Implements `state.store.Keeper` with SQLite."""

    def __init__(self, directory: DataDirectory, now: Callable[[], float]) -> None:
        self.directory = directory
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
        self._let_go = 0
        self._told = 0.0
        self._closed = False

    # --- the Keeper protocol ----------------------------------------------------------------

    def attach(self, state: State) -> None:
        self._state = state
        self._changes.watch(state, everything=True)

    @property
    def pending(self) -> bool:
        return bool(self._changes) or self._work is not None

    def expect(self, size: int) -> None:
        self._expected += size

    def knows(self, promise: Promise) -> bool:
        return self._work is None and was_gathered(promise)

    def keep_now(self) -> bool:
        if self._work is None and self._changes:
            self._commit()
        return self._work is None

    async def kept(self) -> None:
        if self._work is not None:
            await asyncio.shield(self._work)
        if not self.keep_now() and self._work is not None:
            await asyncio.shield(self._work)

    # --- reading ----------------------------------------------------------------------------

    def load(self) -> State:
        """The state of the directory; from now on its changes are kept."""
        self._state = load_state(self.directory.database, self.directory.files)
        self._changes.watch(self._state, everything=False)
        return self._state

    async def request(self, request_id: str) -> tuple[str, dict[str, Any]]:
        """Operation and body of a request that may have to be done again."""
        found = await self.in_thread(_request, self, request_id)
        return found[0], found[1]

    def fact(self, name: str) -> Any:
        """Something about the whole server, None when it was never told."""
        told = self._changes.facts.get(name)
        if told is not None:
            return orjson.loads(told)
        value = self.directory.database.one("SELECT value FROM facts WHERE id = ?", name)
        return None if value is None else orjson.loads(value)

    def tell(self, name: str, value: Any) -> None:
        """Keep something about the whole server, with the next commit."""
        self._changes.facts[name] = orjson.dumps(value)
        self._changed()

    # --- copies -----------------------------------------------------------------------------

    def copies(self) -> dict[str, float]:
        found: dict[str, float] = {}
        for path in self.directory.snapshots.glob("*.sqlite"):
            copy = Database(path)
            time = copy.one("SELECT value FROM facts WHERE id = ?", TIME)
            copy.close()
            found[path.stem] = orjson.loads(time) if time else 0.0
        return dict(sorted(found.items(), key=lambda one: (one[1], one[0])))

    async def copy(self, name: str) -> None:
        await self.kept()
        await self._apart(self.in_thread(self.directory.database.copy_to, self._path(name)))

    async def become(self, name: str) -> State:
        async def other() -> State:
            await self.in_thread(self.directory.database.copy_from, self._path(name))
            return self.load()  # what has changed in the state of before is not kept any more

        await self.kept()
        return await self._apart(other())

    async def forget(self, name: str) -> None:
        await self._apart(self.in_thread(self._path(name).unlink))

    def _path(self, name: str) -> Path:
        return self.directory.snapshots / f"{name}.sqlite"

    async def _apart(self, work: Coroutine[Any, Any, T]) -> T:
        """Do this while nothing is committed."""
        while self._work is not None:
            await asyncio.wait({self._work})
        task = self._work = asyncio.create_task(work)
        task.add_done_callback(self._worked)
        return await asyncio.shield(task)

    async def in_thread(self, work: Callable[..., T], *arguments: Any) -> T:
        """Do something with the directory between two commits."""
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
        if self._later is not None:
            self._later.cancel()
            self._later = None
        change = gather(self._changes, self._state)
        if self.now() >= self._told + 1 or self.now() < self._told:
            self._told = self.now()
            change.facts[TIME] = orjson.dumps(self._told)
        expected, self._expected = self._expected, 0
        if expected + change.weight() < IN_THREAD:
            with self._judged(change):
                self._write(change)
        else:
            self._work = asyncio.create_task(self._write_in_thread(change))
            self._work.add_done_callback(self._worked)

    async def _write_in_thread(self, change: Change) -> None:
        with self._judged(change):
            await self.in_thread(self._write, change)

    @contextmanager
    def _judged(self, change: Change) -> Iterator[None]:
        try:
            yield
            self.failure = None
            self._finish(change)
        except (sqlite3.Error, OSError) as error:
            self._changes.put_back(change)
            self.failure = error
            raise StorageFull(
                f"data directory: cannot be written: {error}",
                rule="an operation is accepted once it is kept",
                fix="free space on the server's disk and ask again, with the next seq_id if any",
            ) from error

    def _worked(self, work: asyncio.Task[Any]) -> None:
        """The thread is free. Who waited is told how it went, and if nobody did, the next one."""
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
                value = record.__dict__[name] = Filed(self.directory.files, filing.name)
            record.__dict__["_filed"][name] = (value, filing.name)

    def _write(self, change: Change) -> None:
        """In the thread: files first, then the rows that name them."""
        for filing in change.filings:
            filing.name = self.directory.files.write(filing.value)
        found: list[Statement] = []
        if change.everything:
            found += [(f"DELETE FROM {table}", ()) for table in EVERYTHING]
        found += statements(change)
        self.directory.database.write(found)
        self._let_go += change.releases
        if self._let_go >= SWEEP_AFTER:
            self._let_go = 0
            self.directory.sweep()

    def close(self) -> None:
        """Write what is left, and let go of the directory."""
        self._closed = True
        if self._later is not None:
            self._later.cancel()
        self._thread.shutdown(wait=True)
        change = gather(self._changes, self._state)
        try:
            self._write(change)
        except (sqlite3.Error, OSError) as error:
            self.failure = error
        self.directory.close()


def _request(keeper: DirectoryKeeper, request_id: str) -> Any:
    database = keeper.directory.database
    return decode(database.one("SELECT value FROM requests WHERE id = ?", request_id))
