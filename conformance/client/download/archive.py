"""Unpacking archives from elsewhere without letting them write elsewhere."""

import tarfile
from pathlib import Path

from ..errors import invalid

_MAX_MEMBERS = 100_000


def extract_archive(archive: Path, destination: Path) -> list[Path]:
    """Unpack a tar, plain or compressed. Returns the files written.

    Raises `ValidationError`, before anything is written, if a member would land outside (an
    absolute name, `..`), or is a link or a device; and if the file is no tar.
    """
    try:
        with tarfile.open(archive) as tar:
            members = tar.getmembers()
            if len(members) > _MAX_MEMBERS:
                raise invalid(f"the archive has {len(members)} members; that is no checkpoint")
            for member in members:
                _check(member)
            destination.mkdir(parents=True)
            tar.extractall(destination, members=members, filter="data")
    except tarfile.TarError as error:
        raise invalid(f"{archive.name} is no readable tar archive: {error}") from error
    return [destination / member.name for member in members if member.isfile()]


def _check(member: tarfile.TarInfo) -> None:
    name = Path(member.name)
    if name.is_absolute() or ".." in name.parts or "\\" in member.name:
        raise invalid(f"the archive's member {member.name!r} would be written outside")
    if not (member.isfile() or member.isdir()):
        raise invalid(f"the archive's member {member.name!r} is a link or a device")
