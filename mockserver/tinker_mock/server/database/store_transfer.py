"""A store as a data directory, and back; what is in it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from tinker_mock.server.database import store_copies
from tinker_mock.server.database.directory import SECRET, WEIGHTS, DataDirectory
from tinker_mock.server.database.place import SEED, TIME
from tinker_mock.server.database.postgres import Connection, opened
from tinker_mock.server.database.rows import KINDS
from tinker_mock.server.database.schema import BEHAVIOUR
from tinker_mock.server.database.shared_schema import VERSION
from tinker_mock.server.database.shared_store import FACT, storable, stored
from tinker_mock.server.database.shared_store import WEIGHTS as KEEP_WEIGHTS
from tinker_mock.server.database.sqlite import Database, Statement
from tinker_mock.server.database.units import unit_of_row
from tinker_mock.server.database.weight_files import write_whole
from tinker_mock.server.errors import ConfigurationError

VALUES = (*store_copies.VALUES, "facts")
ADD_FACT = "INSERT INTO facts (id, value) VALUES"


@dataclass(frozen=True)
class Tables:
    """Those of the state, or of one of its copies."""

    snapshot: str | None = None

    def rows(self, connection: Connection, columns: str, table: str) -> Iterator[tuple[Any, ...]]:
        """What one of them holds, in the order in which it was written."""
        if self.snapshot is None:
            yield from connection.execute(f"SELECT {columns} FROM {table}")
        else:
            kept = f"SELECT {columns} FROM kept_{table} WHERE snapshot = %s"
            yield from connection.execute(kept, (self.snapshot,))

    def entry(self, table: str, columns: str, *values: Any) -> Statement:
        """SQL that adds a row."""
        marks = ", ".join(["%s"] * len(values))
        if self.snapshot is None:
            return f"INSERT INTO {table} ({columns}) VALUES ({marks})", values
        target = f"INSERT INTO kept_{table} (snapshot, {columns}"
        if table not in KINDS:
            return f"{target}) VALUES (%s, {marks})", (self.snapshot, *values)
        place = f"nextval(pg_get_serial_sequence('{table}', 'place'))"
        return f"{target}, place) VALUES (%s, {marks}, {place})", (self.snapshot, *values)


STATE = Tables()
NAMED = (
    "SELECT id, value FROM weights "
    "WHERE id IN (SELECT id FROM files UNION SELECT id FROM kept_files)"
)


def describe(address: str) -> dict[str, Any]:
    """What a store holds, also while servers use it. Raises ConfigurationError."""
    database = opened(address)
    counts = {table: database.one(f"SELECT count(*) FROM {table}") for table in KINDS}
    seed = database.one("SELECT value FROM facts WHERE id = %s", SEED)
    servers = [row[0] for row in database.rows("SELECT id FROM servers ORDER BY number")]
    told = {
        "schema": VERSION,
        "seed": None if seed is None else orjson.loads(seed),
        "database_bytes": database.one("SELECT pg_database_size(current_database())"),
        "weights_bytes": database.one("SELECT coalesce(sum(length(value)), 0) FROM weights"),
        "snapshots": list(database.transaction(store_copies.names)),
        "used_by": f"servers {', '.join(servers)}" if servers else None,
        "records": counts,
    }
    database.close()
    return told


def to_directory(address: str, path: Path) -> None:
    """Make a new data directory of what a store holds at one moment. Raises ConfigurationError."""
    database, directory = opened(address), DataDirectory(path)

    def copy(connection: Connection) -> None:
        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        directory.secret(connection.execute(FACT, (SECRET,)).fetchone()[0])  # type: ignore[index]
        directory.database.write(_taken(connection, STATE))
        for name, time in store_copies.names(connection).items():
            snapshot = Database(directory.snapshots / f"{name}.sqlite")
            taken = (f"{ADD_FACT} (?, ?)", (TIME, orjson.dumps(time)))
            snapshot.write([*_taken(connection, Tables(name)), taken])
            snapshot.close()
        for weights, value in connection.execute(NAMED):
            write_whole(directory.path / WEIGHTS / weights, value)

    try:
        database.transaction(copy)
    finally:
        directory.close()
        database.close()


def _taken(connection: Connection, tables: Tables) -> Iterator[Statement]:
    """SQL for a data directory's database."""
    for table in KINDS:
        rows = tables.rows(connection, "id, row, place", table)
        for key, row, _ in sorted(rows, key=lambda one: one[2]):
            yield f"INSERT INTO {table} (id, row) VALUES (?, ?)", (stored(key), row)
    for table in VALUES:
        for key, value in tables.rows(connection, "id, value", table):
            if key != SECRET:
                yield f"INSERT INTO {table} (id, value) VALUES (?, ?)", (stored(key), value)
    for name, owner, field in tables.rows(connection, "id, owner, field", "files"):
        sql = "INSERT INTO files (id, owner, field) VALUES (?, ?, ?)"
        yield sql, (name, stored(owner), field)


def from_directory(path: Path, address: str) -> None:
    """Fill an empty store with what a data directory holds. Raises ConfigurationError."""
    database, directory = opened(address), DataDirectory(path)

    def fill(connection: Connection) -> None:
        if connection.execute("SELECT 1 FROM facts UNION SELECT 1 FROM servers").fetchone():
            raise ConfigurationError("--store: there is something already; name an empty database")
        for sql, values in _given(directory):
            connection.execute(sql, [storable(value) for value in values])

    try:
        database.transaction(fill)
    finally:
        directory.close()
        database.close()


def _given(directory: DataDirectory) -> Iterator[Statement]:
    """SQL for an empty store."""
    names: set[str] = set()
    yield from _entries(directory.database, STATE, names)
    for key in directory.database.rows("SELECT id FROM sessions"):
        yield "INSERT INTO leases (unit, server) VALUES (%s, '')", key  # anybody's
    secret = (directory.path / SECRET).read_bytes()
    yield f"{ADD_FACT} (%s, %s)", (SECRET, secret)
    for name, time in directory.copies().items():
        yield (
            "INSERT INTO snapshots (name, taken) VALUES (%s, %s)",
            (name, orjson.dumps(time)),
        )
        snapshot = Database(directory.snapshots / f"{name}.sqlite")
        yield from _entries(snapshot, Tables(name), names)
        snapshot.close()
    for name in sorted(names):
        yield KEEP_WEIGHTS, (name, (directory.path / WEIGHTS / name).read_bytes())


def _entries(database: Database, tables: Tables, names: set[str]) -> Iterator[Statement]:
    """SQL for the tables, from a database of a directory; gathers the names of weights."""
    for table in KINDS:
        for key, row in database.rows(f"SELECT id, row FROM {table} ORDER BY place"):
            unit = unit_of_row(table, key, orjson.loads(row))
            yield tables.entry(table, "id, unit, row", key, unit, row)
    for table in VALUES:
        for key, value in database.rows(f"SELECT id, value FROM {table}"):
            if table != "facts" or tables is STATE or key in BEHAVIOUR:
                yield tables.entry(table, "id, value", key, value)
    for name, owner, field in database.rows("SELECT id, owner, field FROM files"):
        yield tables.entry("files", "id, owner, field", name, owner, field)
        names.add(name)
