"""A store as a data directory, and back; what is in it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson

from tinker_mock.server.database.directory import SECRET, WEIGHTS, DataDirectory
from tinker_mock.server.database.place import SEED
from tinker_mock.server.database.postgres import Connection, opened
from tinker_mock.server.database.rows import KINDS
from tinker_mock.server.database.shared_schema import VERSION
from tinker_mock.server.database.shared_store import WEIGHTS as KEEP_WEIGHTS
from tinker_mock.server.database.shared_store import storable, stored
from tinker_mock.server.database.sqlite import Statement
from tinker_mock.server.database.units import unit_of_row
from tinker_mock.server.database.weight_files import write_whole
from tinker_mock.server.errors import ConfigurationError

VALUES = ("requests", "outcomes", "counters", "facts")
FILES = "INSERT INTO files (id, owner, field) VALUES"


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
        "snapshots": [],
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
        directory.database.write(_taken(connection, directory))

    try:
        database.transaction(copy)
    finally:
        directory.close()
        database.close()


def _taken(connection: Connection, directory: DataDirectory) -> Iterator[Statement]:
    for table in KINDS:
        for key, row in connection.execute(f"SELECT id, row FROM {table} ORDER BY place"):
            yield f"INSERT INTO {table} (id, row) VALUES (?, ?)", (stored(key), row)
    for table in VALUES:
        for key, value in connection.execute(f"SELECT id, value FROM {table}"):
            if key == SECRET:
                directory.secret(value)
            else:
                yield f"INSERT INTO {table} (id, value) VALUES (?, ?)", (stored(key), value)
    for name, owner, field in connection.execute("SELECT id, owner, field FROM files"):
        yield f"{FILES} (?, ?, ?)", (name, stored(owner), field)
    named = "SELECT id, value FROM weights WHERE id IN (SELECT id FROM files)"
    for name, value in connection.execute(named):
        write_whole(directory.path / WEIGHTS / name, value)


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
    for table in KINDS:
        for key, row in directory.database.rows(f"SELECT id, row FROM {table} ORDER BY place"):
            unit = unit_of_row(table, key, orjson.loads(row))
            yield f"INSERT INTO {table} (id, unit, row) VALUES (%s, %s, %s)", (key, unit, row)
            if table == "sessions":  # anybody's
                yield "INSERT INTO leases (unit, server) VALUES (%s, '')", (key,)
    for table in VALUES:
        for key, value in directory.database.rows(f"SELECT id, value FROM {table}"):
            yield f"INSERT INTO {table} (id, value) VALUES (%s, %s)", (key, value)
    secret = (directory.path / SECRET).read_bytes()
    yield "INSERT INTO facts (id, value) VALUES (%s, %s)", (SECRET, secret)
    names = set()
    for name, owner, field in directory.database.rows("SELECT id, owner, field FROM files"):
        yield f"{FILES} (%s, %s, %s)", (name, owner, field)
        names.add(name)
    for name in sorted(names):
        yield KEEP_WEIGHTS, (name, (directory.path / WEIGHTS / name).read_bytes())
