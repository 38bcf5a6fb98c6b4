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
from pathlib import Path

from tinker_mock.server.database.sqlite import Database
from tinker_mock.server.database.weight_files import WeightFiles, write_whole
from tinker_mock.server.errors import ConfigurationError

DATABASE, WEIGHTS, SNAPSHOTS = "state.sqlite", "weights", "snapshots"
SECRET, LOCK = "secret", "lock"


class InUse(Exception):
    """Another process uses the directory."""

    def __init__(self, owner: str) -> None:
        super().__init__(f"in use by process {owner}")
        self.owner = owner


class DataDirectory:
    """An opened directory; nobody else can open it meanwhile.

    Raises ConfigurationError where it cannot be used, or is used by another process.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
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
