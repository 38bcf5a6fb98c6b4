"""Checkpoint archives: streamed to disk, resumed when cut, verified, unpacked safely."""

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ..errors import TinkerError, invalid
from ..rest.client import AsyncRestClient
from .archive import extract_archive
from .fetch import Progress, fetch_file


@dataclass(frozen=True, slots=True)
class Downloaded:
    """Where a checkpoint was unpacked to."""

    checkpoint_path: str
    destination: Path


def directory_name(path: str) -> str:
    """`tinker://run/weights/name` as one directory name: `run_weights_name`."""
    scheme = "tinker://"
    if not path.startswith(scheme):
        raise invalid(f"Checkpoint path must start with 'tinker://', got: {path}")
    name = path.removeprefix(scheme).replace("/", "_")
    if not name or name in (".", ".."):
        raise invalid(f"Invalid checkpoint path: {path}")
    return name


async def download_checkpoint(
    rest: AsyncRestClient,
    path: str,
    *,
    output_dir: Path | None = None,
    force: bool = False,
    sha256: str | None = None,
    progress: Progress | None = None,
    name: Callable[[str], str] = directory_name,
) -> Downloaded:
    """Download an archive and unpack it into a directory of its own.

    An existing directory is an error (data `{"exists": …}`) unless `force` replaces it, which
    happens only once the new files are there. A cut download is resumed where it stopped, also
    by the next call. Raises `ValidationError` for an unsafe archive or a wrong checksum.
    """
    parent = output_dir or Path.cwd()
    destination = parent / name(path)
    if destination.exists() and not force:
        raise invalid(f"{destination} exists; pass force to replace it", exists=str(destination))
    parent.mkdir(parents=True, exist_ok=True)
    archive = parent / f".{destination.name}.tar.part"
    link = await rest.get_checkpoint_archive_url(path)
    await fetch_file(rest.connection.transport, link.url, archive, sha256=sha256, progress=progress)
    fresh = parent / f".{destination.name}.unpacking"
    shutil.rmtree(fresh, ignore_errors=True)
    try:
        extract_archive(archive, fresh)
    except (TinkerError, OSError):
        shutil.rmtree(fresh, ignore_errors=True)
        raise
    finally:
        archive.unlink(missing_ok=True)
    if destination.exists():
        shutil.rmtree(destination)
    fresh.rename(destination)
    return Downloaded(path, destination)
