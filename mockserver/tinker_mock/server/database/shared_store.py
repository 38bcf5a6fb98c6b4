"""A state in PostgreSQL, of which this server keeps what it owns. Implements `place.Place`.

A commit is refused when the server was taken for dead and others own its units: then it must not
go on. Weights are rows, since servers may be on different machines.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

import orjson
import psycopg

from tinker_mock.server.clock import Clock
from tinker_mock.server.database import store_copies
from tinker_mock.server.database.changes import Change
from tinker_mock.server.database.loading import Pairs, load_state
from tinker_mock.server.database.place import SEED, TIME
from tinker_mock.server.database.postgres import Connection, Postgres, Statement, opened
from tinker_mock.server.database.shared_schema import COPIED, EMPTIED
from tinker_mock.server.database.statements import statements
from tinker_mock.server.database.units import unit_of_counter, unit_of_row
from tinker_mock.server.database.values import Unreadable, decode, encode
from tinker_mock.server.errors import ConfigurationError, StorageAway, StorageFull
from tinker_mock.server.lru import LruCache
from tinker_mock.server.state.store import State

READ_AHEAD = 8
"""Weights that stay in memory after they were read."""
SWEEP_AFTER = 200
"""Commits that let go of weights, between looks for those that nothing names."""
SECRET = "secret"
NUL = "\U0010fffd"
"""Stands for the character 0; of the last private plane, which no text uses."""
FACT = "SELECT value FROM facts WHERE id = %s"
GENERATION = "SELECT generation FROM servers WHERE id = %s"
TELL = "INSERT INTO facts (id, value) VALUES (%s, %s) ON CONFLICT (id) DO NOTHING"
WEIGHTS = (
    "INSERT INTO weights (id, value) VALUES (%s, %s) ON CONFLICT (id) DO UPDATE SET used = now()"
)


class Fenced(Exception):
    """Others have taken over from this server: it must not go on."""


class Replaced(Exception):
    """The state was replaced by another one: what this server knew is no more."""


class StoredWeights:
    """Reads weights; from any thread."""

    def __init__(self, address: str) -> None:
        self._database = Postgres(address)
        self._read: LruCache[str, Any] = LruCache(READ_AHEAD)

    def read(self, name: str) -> Any:
        """The value of that name. Raises Unreadable when it is not what was written."""
        return self._read.get_or_make(name, lambda: self._load(name))

    def _load(self, name: str) -> Any:
        data = self._database.one("SELECT value FROM weights WHERE id = %s", name)
        if data is None or hashlib.sha256(data).hexdigest() != name:
            raise Unreadable(f"weights {name}: {'missing' if data is None else 'changed'}")
        return decode(bytes(data))

    def close(self) -> None:
        """Let go."""
        self._database.close()


class SharedStore:
    """The database as one server uses it. `me` is its id, once it takes part."""

    at_once = 0
    shared = True
    failures = (psycopg.Error, OSError, Replaced)

    def __init__(self, address: str) -> None:
        self.address = address
        self.database = opened(address)
        self.asking = Postgres(address)
        """For questions that must not wait for a commit."""
        self.files = StoredWeights(address)
        self.me = ""
        self.owner_of_new: Callable[[str], str] = lambda unit: self.me
        """Which server is to own a session that was just opened."""
        self.fenced: Callable[[], None] = lambda: None
        """Called, from any thread, when others have taken over."""
        self.replaced: Callable[[], None] = lambda: None
        """Called, from any thread, when the state is another one than this server knows."""
        self.generation = 0
        """Of the state that this server knows."""
        self._let_go = 0

    # --- the Place protocol -----------------------------------------------------------------

    def load(self) -> State:
        """Nothing: units are loaded as they come to be owned, copies as they are pulled."""
        return State()

    def write(self, change: Change) -> None:
        """One transaction. Raises one of `failures`, or Fenced."""
        found: list[Statement] = []
        for filing in change.filings:
            data = encode(filing.value)
            filing.name = hashlib.sha256(data).hexdigest()
            found.append((WEIGHTS, (filing.name, data)))
        found.sort(key=lambda one: one[1][0])  # two servers that keep the same wait for each other
        found += [(sql.replace("?", "%s"), values) for sql, values in statements(change, _upsert)]
        found += self._sharing(change)

        def work(connection: Connection) -> None:
            with connection.pipeline():
                here = connection.execute(f"{GENERATION} FOR KEY SHARE", (self.me,))
                for sql, values in found:
                    connection.execute(sql, [storable(value) for value in values])
                row = here.fetchone()
                if row is None:
                    raise Fenced(self.me)
                if row[0] != self.generation:
                    raise Replaced(self.me)

        try:
            self.database.transaction(work)
        except Fenced:
            self.fenced()
            raise
        except Replaced:
            self.replaced()
            raise
        self._let_go += change.releases
        if self._let_go >= SWEEP_AFTER:
            self._let_go = 0
            self.sweep()

    def _sharing(self, change: Change) -> Iterable[Statement]:
        """What others have to know beside the rows."""
        for table, key, row, _ in change.rows:
            if row is None and table in COPIED:
                yield "INSERT INTO gone (kind, id) VALUES (%s, %s)", (table, key)
            if table == "sessions" and row is None:
                yield "DELETE FROM leases WHERE unit = %s", (key,)
            elif table == "sessions":
                lease = "INSERT INTO leases (unit, server) VALUES (%s, %s) ON CONFLICT DO NOTHING"
                yield lease, (key, self.owner_of_new(key))

    def refusal(self, error: Exception) -> StorageFull:
        """Nothing is accepted that cannot be kept; a disk that is full is no matter of time."""
        if isinstance(error, psycopg.errors.DiskFull):
            return StorageFull(
                f"store: cannot be written: {error}",
                rule="an operation is accepted once it is kept",
                fix="free space on the database's disk and ask again, with the next seq_id if any",
            )
        why = "the database does not answer: "
        if isinstance(error, Replaced):
            why = "it has just been given another state: "
        return StorageAway(
            f"store: {why}{type(error).__name__}",
            rule="an operation is accepted once it is kept",
            fix="ask again",
        )

    def fact(self, name: str) -> Any:
        """Something about the whole mock, None when it was never told."""
        value = self.asking.one(FACT, name)
        return None if value is None else orjson.loads(value)

    def request(self, request_id: str) -> tuple[str, dict[str, Any]]:
        """Operation and body of a request that may have to be done again."""
        found = decode(self.asking.one("SELECT value FROM requests WHERE id = %s", request_id))
        return found[0], found[1]

    def copies(self) -> dict[str, float]:
        """Names of the copies, and the Unix time of each, oldest first."""
        return self.asking.transaction(store_copies.names)

    def copy(self, name: str) -> None:
        """Keep a copy of what all servers have committed."""
        self.database.transaction(partial(store_copies.take, name=name))

    def become(self, name: str) -> None:
        """Hold what a copy holds; servers that know another state cannot commit any more."""
        self._replace(partial(store_copies.put_back, name=name))

    def forget(self, name: str) -> None:
        """Remove a copy."""
        self.database.transaction(partial(store_copies.remove, name=name))

    def close(self) -> None:
        """Let go."""
        for each in (self.database, self.asking, self.files):
            each.close()

    # --- sharing ----------------------------------------------------------------------------

    def load_unit(self, unit: str) -> State:
        """A unit as it was last committed."""
        return load_state(UnitRows(self.asking, unit), self.files)

    def empty(self) -> None:
        """Forget everything but who is there; servers that know more cannot commit any more."""

        def work(connection: Connection) -> None:
            for table in EMPTIED:
                connection.execute(f"DELETE FROM {table}")

        self._replace(work)

    def _replace(self, work: Callable[[Connection], None]) -> None:
        """Give all servers another state: commits end before it, or are refused after it."""

        def whole(connection: Connection) -> None:
            connection.execute("LOCK TABLE servers IN EXCLUSIVE MODE")
            work(connection)
            # Nobody could renew a row meanwhile.
            connection.execute(
                "UPDATE servers SET generation = generation + 1, seen = clock_timestamp()"
            )

        self.database.transaction(whole)

    def begin_anew(self) -> None:
        """This server knows nothing of the state any more, and so nothing that is not true."""
        self.generation = self.asking.one(GENERATION, self.me)

    def unit_of_request(self, request_id: str) -> str | None:
        """What a promise belongs to; None for one that is not known."""
        found = self.asking.one("SELECT unit FROM promises WHERE id = %s", request_id)
        return None if found is None else str(found)

    def sweep(self) -> None:
        """Remove weights that nothing names, and old notes of what was deleted."""
        hour = "now() - interval '1 hour'"
        unnamed = " AND ".join(
            f"NOT EXISTS (SELECT 1 FROM {files} WHERE {files}.id = weights.id)"
            for files in ("files", "kept_files")
        )
        self.database.do(
            [
                ("LOCK TABLE kept_files IN SHARE MODE", ()),  # no copy is being made
                (f"DELETE FROM weights WHERE used < {hour} AND {unnamed}", ()),
                (f"DELETE FROM gone WHERE at < {hour}", ()),
            ]
        )


class UnitRows:
    """The rows of one unit, as `load_state` reads them."""

    def __init__(self, database: Postgres, unit: str) -> None:
        self.database, self.unit = database, unit

    def records(self, table: str) -> Pairs:
        """The unit's rows of a table."""
        sql = f"SELECT id, row FROM {table} WHERE unit = %s ORDER BY place"
        return ((stored(key), row) for key, row in self.database.rows(sql, self.unit))

    def counters(self) -> Pairs:
        """The unit's counters."""
        for key, value in self.database.rows("SELECT id, value FROM counters"):
            if unit_of_counter(key) == self.unit:
                yield stored(key), value

    def requests(self) -> Pairs:
        """Requests of the unit's promises."""
        return self._of_promises("requests")

    def outcomes(self) -> Pairs:
        """Outcomes of the unit's promises."""
        return self._of_promises("outcomes")

    def _of_promises(self, table: str) -> Pairs:
        sql = f"SELECT id, value FROM {table} JOIN promises USING (id) WHERE unit = %s"
        return [(key, bytes(value)) for key, value in self.database.rows(sql, self.unit)]


def sharing(address: str, seed: int, clock: Clock) -> SharedStore:
    """The store at an address, whose time the clock goes on with.

    Raises ConfigurationError when it cannot be used, or belongs to servers with another seed.
    """
    store = SharedStore(address)
    known = claimed_seed(store, seed)
    if known != seed:
        raise ConfigurationError(
            f"--store: its ids follow from seed {known}, not {seed}; leave --seed out"
        )
    clock.forward_to(store.fact(TIME) or 0.0)
    return store


def claimed_seed(store: SharedStore, seed: int) -> int:
    """The store's seed, which is this one when it has none yet."""
    store.database.do([(TELL, (SEED, orjson.dumps(seed)))])
    return int(store.fact(SEED))


def shared_secret(store: SharedStore, drawn: bytes) -> bytes:
    """The store's secret, which is the drawn one when it has none yet."""
    store.database.do([(TELL, (SECRET, drawn))])
    return bytes(store.asking.one(FACT, SECRET))


def storable(value: Any) -> Any:
    """A value as the database takes it: text there has no NUL, which a client's may have."""
    return value.replace("\0", NUL) if isinstance(value, str) and "\0" in value else value


def stored(text: str) -> str:
    """A text as it was before `storable`."""
    return text.replace(NUL, "\0")


def _upsert(table: str, key: str, row: dict[str, Any], body: bytes) -> Statement:
    update = "ON CONFLICT (id) DO UPDATE SET row = excluded.row, xid = excluded.xid"
    sql = f"INSERT INTO {table} (id, unit, row) VALUES (?, ?, ?) {update}"
    return sql, (key, unit_of_row(table, key, row), body)
