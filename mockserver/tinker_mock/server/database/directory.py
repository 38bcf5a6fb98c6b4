"""A data directory: the database, the weights, the secret, and who uses it.

* `state.sqlite`: the database
* `weights/`: one file for what has the same content
* `snapshots/`: named copies of the database
* `secret`: what links and tokens are signed with
* `lock`: the process that uses the directory
"""

from __future__ import annotations

import fcntl
import os
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import orjson

from tinker_mock.server.clock import Clock
from tinker_mock.server.database.changes import Change
from tinker_mock.server.database.keeper import StateKeeper
from tinker_mock.server.database.loading import AllRows, load_state
from tinker_mock.server.database.place import SEED, TIME
from tinker_mock.server.database.schema import EVERYTHING
from tinker_mock.server.database.sqlite import Database, Statement
from tinker_mock.server.database.statements import statements
from tinker_mock.server.database.values import decode
from tinker_mock.server.database.weight_files import WeightFiles, write_whole
from tinker_mock.server.errors import ConfigurationError, StorageFull
from tinker_mock.server.state.store import State

DATABASE, WEIGHTS, SNAPSHOTS = "state.sqlite", "weights", "snapshots"
SECRET, LOCK = "secret", "lock"
IN_THREAD = 64 * 1024
"""Bytes from which on a commit is written in the thread."""
SWEEP_AFTER = 200
"""Commits that let go of weights, between looks for files that nothing names."""
FACT = "SELECT value FROM facts WHERE id = ?"


def lasting(path: Path, seed: int, clock: Clock) -> tuple[StateKeeper, DataDirectory]:
    """The keeper of a data directory, whose time the clock goes on with.

    Raises ConfigurationError when it cannot be used, or belongs to runs with another seed.
    """
    directory = DataDirectory(path)
    known = directory.fact(SEED)
    if known is None:
        fact = "INSERT INTO facts (id, value) VALUES (?, ?)"
        directory.database.write([(fact, (SEED, orjson.dumps(seed)))])
    elif known != seed:
        directory.close()
        raise ConfigurationError(
            f"--data-dir {path}: its ids follow from seed {known}, not {seed}; leave --seed out"
        )
    clock.forward_to(directory.fact(TIME) or 0.0)
    return StateKeeper(directory, clock.now), directory


def stored_seed(path: Path) -> int | None:
    """The seed of a data directory, None for one that is new; looks without opening it."""
    file = path / DATABASE
    if not file.exists():
        return None
    with closing(sqlite3.connect(file)) as connection:
        try:
            row = connection.execute(FACT, (SEED,)).fetchone()
        except sqlite3.Error:
            return None  # opening it says what is wrong
    return None if row is None else int(orjson.loads(row[0]))


class InUse(Exception):
    """Another process uses the directory."""

    def __init__(self, owner: str) -> None:
        super().__init__(f"in use by process {owner}")
        self.owner = owner


class DataDirectory:
    """An opened directory, a `Place`; nobody else can open it meanwhile.

    Raises ConfigurationError where it cannot be used, or is used by another process.
    """

    at_once = IN_THREAD
    shared = False
    failures = (sqlite3.Error, OSError)

    def __init__(self, path: Path) -> None:
        self.path = path
        self._let_go = 0
        try:
            path.mkdir(parents=True, exist_ok=True)
            self._lock = locked(path / LOCK)
            self.files = WeightFiles(path / WEIGHTS)
            self.snapshots = path / SNAPSHOTS
            self.snapshots.mkdir(exist_ok=True)
        except InUse as error:
            raise ConfigurationError(
                f"--data-dir {path}: {error}; stop that one, or use another directory"
            ) from error
        except OSError as error:
            raise ConfigurationError(f"--data-dir {path}: {error.strerror}") from error
        try:
            self.database = Database(path / DATABASE)
        except ConfigurationError:
            os.close(self._lock)
            raise

    def secret(self, drawn: bytes) -> bytes:
        """The directory's secret, which is the drawn one when it has none yet."""
        file = self.path / SECRET
        if not file.exists():
            write_whole(file, drawn)
            file.chmod(0o600)
        return file.read_bytes()

    def load(self) -> State:
        """Everything."""
        return load_state(AllRows(self.database), self.files)

    def write(self, change: Change) -> None:
        """Files first, then the rows that name them. Raises one of `failures`."""
        for filing in change.filings:
            filing.name = self.files.write(filing.value)
        found: list[Statement] = []
        if change.everything:
            found += [(f"DELETE FROM {table}", ()) for table in EVERYTHING]
        found += statements(change)
        self.database.write(found)
        self._let_go += change.releases
        if self._let_go >= SWEEP_AFTER:
            self._let_go = 0
            self.sweep()

    def refusal(self, error: Exception) -> StorageFull:
        """Nothing is accepted that cannot be kept."""
        return StorageFull(
            f"data directory: cannot be written: {error}",
            rule="an operation is accepted once it is kept",
            fix="free space on the server's disk and ask again, with the next seq_id if any",
        )

    def fact(self, name: str) -> Any:
        """Something about the whole mock, None when it was never told."""
        value = self.database.one(FACT, name)
        return None if value is None else orjson.loads(value)

    def request(self, request_id: str) -> tuple[str, dict[str, Any]]:
        """Operation and body of a request that may have to be done again."""
        found = decode(self.database.one("SELECT value FROM requests WHERE id = ?", request_id))
        return found[0], found[1]

    def copies(self) -> dict[str, float]:
        """Names of the copies, and the Unix time of each, oldest first."""
        found: dict[str, float] = {}
        for path in self.snapshots.glob("*.sqlite"):
            copy = Database(path)
            time = copy.one(FACT, TIME)
            copy.close()
            found[path.stem] = orjson.loads(time) if time else 0.0
        return dict(sorted(found.items(), key=lambda one: (one[1], one[0])))

    def copy(self, name: str) -> None:
        """Keep a copy of the database."""
        self.database.copy_to(self._copy(name))

    def become(self, name: str) -> None:
        """Hold what a copy holds."""
        self.database.copy_from(self._copy(name))

    def forget(self, name: str) -> None:
        """Remove a copy."""
        self._copy(name).unlink()

    def _copy(self, name: str) -> Path:
        return self.snapshots / f"{name}.sqlite"

    def sweep(self) -> int:
        """Remove weights that nothing names, snapshots included; returns the bytes freed."""
        used = {row[0] for row in self.database.rows("SELECT id FROM files")}
        for path in self.snapshots.glob("*.sqlite"):
            snapshot = Database(path)
            used |= {row[0] for row in snapshot.rows("SELECT id FROM files")}
            snapshot.close()
        return self.files.remove_all_but(used)

    def close(self) -> None:
        """Let others use it."""
        self.database.close()
        os.close(self._lock)


def locked(path: Path) -> int:
    """The lock of a directory, held until its descriptor is closed. Raises InUse."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        owner = os.read(descriptor, 32).decode("ascii", "replace").strip() or "unknown"
        os.close(descriptor)
        raise InUse(owner) from None
    os.ftruncate(descriptor, 0)
    os.write(descriptor, f"{os.getpid()}\n".encode())
    return descriptor
