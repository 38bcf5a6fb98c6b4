"""One connection to PostgreSQL, made anew when it was lost."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from threading import RLock
from typing import Any, TypeVar
from urllib.parse import urlsplit

import psycopg

from tinker_mock.server.database.shared_schema import MIGRATIONS, VERSION
from tinker_mock.server.errors import ConfigurationError

T = TypeVar("T")
Statement = tuple[str, tuple[Any, ...]]
Connection = psycopg.Connection[Any]
MIGRATING = 7_465_611
"""The advisory lock of whoever makes or migrates the tables."""
PATIENCE = 10
"""Seconds that connecting may take."""


class Postgres:
    """What threads ask one after the other. Connects when it is first asked."""

    def __init__(self, address: str) -> None:
        self.address = address
        self._lock = RLock()
        self._connection: Connection | None = None

    def transaction(self, work: Callable[[Connection], T]) -> T:
        """What the work comes to, in a transaction of its own; done again, once, if the connection
        had been lost. Raises psycopg.Error."""
        with self._lock:
            fresh = self._connection is None or self._connection.closed
            try:
                return self._once(work)
            except psycopg.OperationalError:
                if fresh or self._connection is None or not self._connection.broken:
                    raise
                return self._once(work)

    def _once(self, work: Callable[[Connection], T]) -> T:
        if self._connection is None or self._connection.closed:
            self._connection = connect(self.address)
        with self._connection.transaction():
            return work(self._connection)

    def rows(self, sql: str, *values: Any) -> list[tuple[Any, ...]]:
        """What a query finds."""
        return self.transaction(lambda connection: connection.execute(sql, values).fetchall())

    def one(self, sql: str, *values: Any) -> Any:
        """The first value that a query finds, None for nothing."""
        found = self.rows(sql, *values)
        return found[0][0] if found else None

    def do(self, statements: Iterable[Statement]) -> None:
        """All of it or nothing."""

        def work(connection: Connection) -> None:
            for sql, values in statements:
                connection.execute(sql, values)

        self.transaction(work)

    def close(self) -> None:
        """Let go; asking again connects again."""
        with self._lock:
            if self._connection is not None:
                self._connection.close()
                self._connection = None


def connect(address: str) -> Connection:
    """A connection that commits each statement unless it is told to begin. Raises psycopg.Error."""
    return psycopg.connect(address, autocommit=True, connect_timeout=PATIENCE)


def opened(address: str) -> Postgres:
    """The database at an address, with its tables as this release has them.

    Raises ConfigurationError where there is none, or one of a newer release.
    """
    database = Postgres(address)
    try:
        database.transaction(_migrate)
    except psycopg.Error as error:
        raise ConfigurationError(f"--store {shown(address)}: {_line(error)}") from error
    return database


def shown(address: str) -> str:
    """An address without its password."""
    parts = urlsplit(address)
    name = parts.netloc.rpartition("@")[2]
    return f"{parts.scheme}://{name}{parts.path}"


def _migrate(connection: Connection) -> None:
    connection.execute("SELECT pg_advisory_xact_lock(%s)", (MIGRATING,))
    connection.execute("CREATE TABLE IF NOT EXISTS schema_version (version INTEGER NOT NULL)")
    found = connection.execute("SELECT version FROM schema_version").fetchone()
    version = found[0] if found else 0
    if version > VERSION:
        raise ConfigurationError(
            f"--store: written by a newer release (schema {version}, this one knows {VERSION}); "
            "use that release, or another database"
        )
    for script in MIGRATIONS[version:]:
        connection.execute(script)
    if version != VERSION:
        connection.execute("DELETE FROM schema_version")
        connection.execute("INSERT INTO schema_version VALUES (%s)", (VERSION,))


def _line(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__
