"""A data directory as one file, and back; what is in it, and making it small."""

from __future__ import annotations

import hashlib
import io
import os
import re
import shutil
import sqlite3
import tarfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import orjson

from tinker_mock.server.database.directory import (
    DATABASE,
    LOCK,
    SECRET,
    SNAPSHOTS,
    WEIGHTS,
    DataDirectory,
    InUse,
    locked,
)
from tinker_mock.server.database.rows import KINDS
from tinker_mock.server.errors import ConfigurationError

MEMBER = re.compile(
    rf"{DATABASE}|{SECRET}|{WEIGHTS}/[0-9a-f]{{64}}|"
    rf"{SNAPSHOTS}/[A-Za-z0-9][A-Za-z0-9._-]{{0,63}}\.sqlite"
)
"""What an archive may hold."""
ATTEMPTS = 10
"""To have all of what a server changes meanwhile."""


def describe(path: Path) -> dict[str, Any]:
    """What a directory holds, also while a server uses it. Raises ConfigurationError."""
    with _reading(path / DATABASE) as database:
        counts = {
            table: database.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
            for table in KINDS
        }
        seed = database.execute("SELECT value FROM facts WHERE id = 'seed'").fetchone()
        version = database.execute("PRAGMA user_version").fetchone()[0]
    sizes = {
        name: sum(file.stat().st_size for file in (path / name).rglob("*") if file.is_file())
        for name in (WEIGHTS, SNAPSHOTS)
    }
    return {
        "schema": version,
        "seed": None if seed is None else orjson.loads(seed[0]),
        "database_bytes": (path / DATABASE).stat().st_size,
        "weights_bytes": sizes[WEIGHTS],
        "snapshots": sorted(file.stem for file in (path / SNAPSHOTS).glob("*.sqlite")),
        "used_by": _owner(path),
        "records": counts,
    }


def export_to(path: Path, archive: Path) -> None:
    """Write a directory as a tar, also while a server uses it; whole or not at all.

    The archive holds the secret that links and tokens are signed with. Raises ConfigurationError.
    """
    with TemporaryDirectory(dir=archive.parent, prefix=".export-") as folder:
        part = Path(folder) / "archive.tar"
        for again in reversed(range(ATTEMPTS)):
            copy = Path(folder) / f"copy-{again}"
            try:
                _gather(path, copy)
                break
            except FileNotFoundError:  # a server that uses it had no need of it any more
                if not again:
                    raise
        with tarfile.open(part, "w") as tar:
            for name in sorted(str(file.relative_to(copy)) for file in copy.rglob("*")):
                if MEMBER.fullmatch(name):
                    tar.add(copy / name, name)
        part.chmod(0o600)
        part.rename(archive)


def _gather(path: Path, copy: Path) -> None:
    """All that is in a directory at one moment. Raises FileNotFoundError where something went away
    meanwhile."""
    for folder in (copy, copy / SNAPSHOTS, copy / WEIGHTS):
        folder.mkdir()
    with _reading(path / DATABASE) as database:
        database.execute("VACUUM INTO ?", (str(copy / DATABASE),))
    shutil.copyfile(path / SECRET, copy / SECRET)
    for snapshot in (path / SNAPSHOTS).glob("*.sqlite"):
        _same(snapshot, copy / SNAPSHOTS / snapshot.name)
    used: set[str] = set()
    for file in (copy / DATABASE, *(copy / SNAPSHOTS).iterdir()):
        with _reading(file) as database:
            used |= {row[0] for row in database.execute("SELECT id FROM files")}
    for name in used:
        _same(path / WEIGHTS / name, copy / WEIGHTS / name)


def _same(source: Path, target: Path) -> None:
    """The same file under another name: its content where that is on another disk."""
    try:
        os.link(source, target)
    except FileNotFoundError:
        raise
    except OSError:
        shutil.copyfile(source, target)


def import_from(path: Path, archive: Path) -> None:
    """Make a new directory of an archive, whole or not at all. Raises ConfigurationError."""
    if path.exists() and any(path.iterdir()):
        raise ConfigurationError(f"{path}: there is something already; name a new directory")
    path.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=path.parent, prefix=".import-") as folder:
        fresh = Path(folder) / "data"
        try:
            with tarfile.open(archive) as tar:
                for member in tar:
                    _extract(tar, member, fresh)
        except (tarfile.TarError, OSError) as error:
            raise ConfigurationError(f"{archive}: {error}") from error
        if not (fresh / DATABASE).is_file() or not (fresh / SECRET).is_file():
            raise ConfigurationError(f"{archive}: not an archive of a data directory")
        DataDirectory(fresh).close()  # an older one is migrated, a newer one refused
        (fresh / LOCK).unlink()
        if path.exists():
            path.rmdir()
        os.rename(fresh, path)


def compact(path: Path) -> int:
    """Give back what was deleted; returns the bytes. Raises ConfigurationError while in use."""
    if not (path / DATABASE).is_file():
        raise ConfigurationError(f"{path}: no data directory")
    before = _size(path)
    directory = DataDirectory(path)
    try:
        directory.sweep()
        directory.database.compact()
    except sqlite3.Error as error:
        raise ConfigurationError(
            f"{path}: {error}; making the database small takes as much room as it has"
        ) from error
    finally:
        directory.close()
    return before - _size(path)


def _extract(tar: tarfile.TarFile, member: tarfile.TarInfo, folder: Path) -> None:
    content = tar.extractfile(member) if member.isreg() else None
    if content is None or not MEMBER.fullmatch(member.name):
        raise ConfigurationError(f"{tar.name!s}: {member.name!r} does not belong in an archive")
    target = folder / member.name
    target.parent.mkdir(parents=True, exist_ok=True)
    with target.open("wb") as file:
        shutil.copyfileobj(content, file, io.DEFAULT_BUFFER_SIZE)
    target.chmod(0o600)
    if target.parent.name == WEIGHTS:
        found = hashlib.sha256(target.read_bytes()).hexdigest()
        if found != target.name:
            raise ConfigurationError(f"{tar.name!s}: {member.name} has been changed")


@contextmanager
def _reading(path: Path) -> Iterator[sqlite3.Connection]:
    if not path.is_file():
        raise ConfigurationError(f"{path.parent}: no data directory")
    try:
        with closing(sqlite3.connect(path)) as database:
            yield database
    except sqlite3.Error as error:
        raise ConfigurationError(f"{path}: {error}") from error


def _owner(path: Path) -> str | None:
    """The process that uses a directory."""
    try:
        os.close(locked(path / LOCK))
    except InUse as error:
        return error.owner
    return None


def _size(path: Path) -> int:
    return sum(file.stat().st_size for file in path.rglob("*") if file.is_file())
