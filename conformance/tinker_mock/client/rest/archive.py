"""Tar archives unpacked safely: where they lead, how much they hold, before a byte is written."""

import bz2
import errno
import gzip
import lzma
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from tinker_mock.client.errors import invalid

MOST_MEMBERS = 100_000
MOST_TIMES = 100
"""An archive becomes at most so many times as large when it is decompressed …"""
ALWAYS = 64 * 1024 * 1024
"""… and may always become as large as this."""
LONGEST_NAME = 255
"""Bytes of one part of a path, on any file system."""
MACHINE = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM, errno.EIO}
"""What goes wrong with the machine, not with the archive."""
COMPRESSED = {b"\x1f\x8b": gzip.open, b"BZ": bz2.open, b"\xfd7": lzma.open}


def extract_archive(archive: Path, destination: Path) -> list[Path]:
    """Unpack a tar, plain or compressed. Returns the files written.

    Raises `ValidationError`, before anything is written, if a member would land outside (an
    absolute name, `..`), or is a link or a device; if the archive holds too much; and if the file
    is no tar.
    """
    with _as_invalid(archive):
        for member in _members(archive):
            _check(member)
    destination.mkdir(parents=True)
    files = []
    with _as_invalid(archive), _opened(archive) as tar:
        for member in tar:
            tar.extract(member, destination, filter="data")
            if member.isfile():
                files.append(destination / member.name)
    return files


def _members(archive: Path) -> Iterator[tarfile.TarInfo]:
    held, most = 0, max(ALWAYS, MOST_TIMES * archive.stat().st_size)
    with _opened(archive) as tar:
        for count, member in enumerate(tar, 1):
            held += member.size
            if count > MOST_MEMBERS:
                raise invalid(f"the archive has more than {MOST_MEMBERS} members")
            if held > most:
                raise invalid(f"the archive's files are larger than {most} bytes together")
            yield member


@contextmanager
def _opened(archive: Path) -> Iterator[tarfile.TarFile]:
    with archive.open("rb") as file:
        beginning = file.read(2)
    opener: Any = COMPRESSED.get(beginning, open)
    most = max(ALWAYS, MOST_TIMES * archive.stat().st_size) + MOST_MEMBERS * 2 * tarfile.BLOCKSIZE
    with opener(archive, "rb") as file:
        source: Any = _Bounded(file, most)
        with tarfile.open(fileobj=source, mode="r|") as tar:
            yield tar


class _Bounded:
    """A file of which no more than `most` bytes can be read."""

    def __init__(self, file: IO[bytes], most: int) -> None:
        self._file = file
        self._left = most

    def read(self, size: int) -> bytes:
        piece = self._file.read(min(size, self._left + 1))
        self._left -= len(piece)
        if self._left < 0:
            raise tarfile.ReadError("it grows too large when it is decompressed")
        return piece


@contextmanager
def _as_invalid(archive: Path) -> Iterator[None]:
    try:
        yield
    except (tarfile.TarError, EOFError, lzma.LZMAError, gzip.BadGzipFile, ValueError) as error:
        raise invalid(f"{archive.name} is no readable tar archive: {error}") from error
    except OSError as error:
        if error.errno in MACHINE:
            raise
        raise invalid(f"{archive.name} cannot be unpacked: {error}") from error


def _check(member: tarfile.TarInfo) -> None:
    name = Path(member.name)
    if name.is_absolute() or ".." in name.parts or "\\" in member.name:
        raise invalid(f"the archive's member {member.name!r} would be written outside")
    if not (member.isfile() or member.isdir()):
        raise invalid(f"the archive's member {member.name!r} is a link or a device")
    if member.isfile() and name in (Path(), Path(".")):
        raise invalid(f"the archive's member {member.name!r} has no name")
    if "\0" in member.name or any(len(part.encode()) > LONGEST_NAME for part in name.parts):
        raise invalid(f"the archive's member {member.name[:80]!r} is no name of a file")
