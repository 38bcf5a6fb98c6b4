"""The database of a data directory: SQLite with a write-ahead log.

A transaction is there completely or not at all after the process was killed, whenever that was.
Only a loss of power can cost the last moments: the log is synced when it is merged, not each time.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

from tinker_mock.server.database.schema import BEHAVIOUR, EVERYTHING, MIGRATIONS, VERSION
from tinker_mock.server.errors import ConfigurationError

Statement = tuple[str, tuple[Any, ...]]
BUSY = 5.0
LOG = 4000
"""Pages, of 4 KiB, after which the log is merged: what changes often is merged once."""


class Database:
    """One open database. Not for two threads at once.

    Raises ConfigurationError for a file that is no database, or one of a newer release.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self._connection = sqlite3.connect(
                path, BUSY, isolation_level=None, check_same_thread=False
            )
            self._connection.execute("PRAGMA journal_mode=WAL")
            self._connection.execute("PRAGMA synchronous=NORMAL")
            self._connection.execute(f"PRAGMA wal_autocheckpoint={LOG}")
            self._migrate()
        except sqlite3.Error as error:
            raise ConfigurationError(f"{path}: {error}") from error

    def _migrate(self) -> None:
        version = self._connection.execute("PRAGMA user_version").fetchone()[0]
        if version > VERSION:
            raise ConfigurationError(
                f"{self.path}: written by a newer release (schema {version}, this one knows "
                f"{VERSION}); use that release, or another directory"
            )
        for number in range(version, VERSION):
            script = f"BEGIN IMMEDIATE; {MIGRATIONS[number]}; PRAGMA user_version={number + 1};"
            self._connection.executescript(f"{script} COMMIT;")

    @property
    def version(self) -> int:
        """The schema's version."""
        return int(self._connection.execute("PRAGMA user_version").fetchone()[0])

    def write(self, statements: Iterable[Statement]) -> None:
        """All of it or nothing. Raises sqlite3.Error."""
        execute = self._connection.cursor().execute
        execute("BEGIN IMMEDIATE")
        try:
            for sql, values in statements:
                execute(sql, values)
            execute("COMMIT")
        except BaseException:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            raise

    def rows(self, sql: str, *values: Any) -> Iterator[tuple[Any, ...]]:
        """What a query finds."""
        with closing(self._connection.execute(sql, values)) as cursor:
            yield from cursor

    def one(self, sql: str, *values: Any) -> Any:
        """The first value that a query finds, None for nothing."""
        row = next(self.rows(sql, *values), None)
        return None if row is None else row[0]

    def copy_to(self, path: Path) -> None:
        """Everything that is committed, as a database of its own; whole or not at all."""
        part = path.with_name(f"{path.name}.unfinished")
        part.unlink(missing_ok=True)
        self._connection.execute("VACUUM INTO ?", (str(part),))
        part.rename(path)

    def copy_from(self, path: Path) -> None:
        """Become what another database holds, but for facts of this server."""
        self._connection.execute("ATTACH ? AS other", (str(path),))
        try:
            tables = [
                f"DELETE FROM {t}; INSERT INTO {t} SELECT * FROM other.{t};" for t in EVERYTHING
            ]
            self._connection.executescript(
                f"BEGIN IMMEDIATE; {''.join(tables)}"
                f"INSERT OR REPLACE INTO facts SELECT * FROM other.facts WHERE id IN {BEHAVIOUR};"
                "COMMIT;"
            )
        except BaseException:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            raise
        finally:
            self._connection.execute("DETACH other")

    def compact(self) -> None:
        """Give back the space of what was deleted."""
        self._connection.execute("VACUUM")
        self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def limit_size(self, pages: int) -> None:
        """Refuse to grow beyond so many pages, as on a disk that is full."""
        self._connection.execute(f"PRAGMA max_page_count={int(pages)}")

    def close(self) -> None:
        """Merge the log and let go of the file."""
        self._connection.close()
