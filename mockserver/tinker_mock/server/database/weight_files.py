"""Weights on disk: one file for what has the same content, written whole and renamed.

Files are named by the SHA-256 of their bytes. What a record holds of one that is not in memory is
a `Filed`, which reads it when somebody looks into it.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from tinker_mock.server.database.values import Unreadable, decode, encode
from tinker_mock.server.lru import LruCache

READ_AHEAD = 8
"""Files that stay in memory after they were read."""
UNFINISHED = ".unfinished"


class WeightFiles:
    """The files of one directory."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._read: LruCache[str, Any] = LruCache(READ_AHEAD)
        folder.mkdir(parents=True, exist_ok=True)

    def write(self, value: Any) -> str:
        """Keep a value; returns its name. Raises OSError, and then nothing is there."""
        data = encode(value)
        name = hashlib.sha256(data).hexdigest()
        path = self.folder / name
        if not path.exists():
            write_whole(path, data)
        return name

    def read(self, name: str) -> Any:
        """The value of that name. Raises Unreadable when it is not what was written."""
        return self._read.get_or_make(name, lambda: self._load(name))

    def _load(self, name: str) -> Any:
        try:
            data = (self.folder / name).read_bytes()
        except OSError as error:
            raise Unreadable(f"{self.folder / name}: {error.strerror}") from error
        if hashlib.sha256(data).hexdigest() != name:
            raise Unreadable(f"{self.folder / name}: the file has been changed")
        return decode(data)

    def names(self) -> set[str]:
        """Every file that is there."""
        return {path.name for path in self.folder.iterdir() if path.suffix != UNFINISHED}

    def remove_all_but(self, used: set[str]) -> int:
        """Remove what nobody names, and what was not finished; returns the bytes freed."""
        freed = 0
        for path in list(self.folder.iterdir()):
            if path.name not in used:
                freed += path.stat().st_size
                path.unlink()
        return freed


class Filed(Mapping[str, Any]):
    """A mapping that is on disk."""

    def __init__(self, files: Any, name: str) -> None:
        self.files, self.name = files, name

    def __deepcopy__(self, memo: dict[int, Any]) -> Filed:
        return self  # it never changes

    def __getitem__(self, key: str) -> Any:
        return self.files.read(self.name)[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self.files.read(self.name))

    def __len__(self) -> int:
        return len(self.files.read(self.name))

    def __bool__(self) -> bool:
        return True


def write_whole(path: Path, data: bytes) -> None:
    """A file that is there completely or not at all, whatever happens meanwhile."""
    part = path.with_name(f"{path.name}.{os.getpid()}{UNFINISHED}")
    try:
        with part.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        part.rename(path)
    finally:
        part.unlink(missing_ok=True)
