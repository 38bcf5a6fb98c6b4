"""Checkpoint archives: streamed to disk, resumed when cut, verified, unpacked safely."""

import hashlib
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import httpx

from tinker_mock.client.errors import (
    ApiConnectionError,
    ApiStatusError,
    Category,
    TinkerError,
    ValidationError,
    invalid,
)
from tinker_mock.client.http.transport import Transport
from tinker_mock.client.rest.archive import extract_archive
from tinker_mock.client.rest.client import AsyncRestClient

Progress = Callable[[int, int], None]
"""Called with bytes so far and bytes in all; only when the server says how many there are."""

_MAX_INTERRUPTIONS = 5
_TIMEOUT = 120.0


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
    if not name or name in (".", "..") or len(name.encode()) > 200 or not name.isprintable():
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
    transport = rest.connection.transport
    fresh = parent / f".{destination.name}.unpacking"
    resumed = archive.exists()
    try:
        await fetch_file(transport, link.url, archive, sha256=sha256, progress=progress)
        _unpack(archive, fresh)
    except ValidationError:
        if not resumed:
            raise
        # What was left of an earlier download may be another archive's: begin anew.
        _discard(archive)
        await fetch_file(transport, link.url, archive, sha256=sha256, progress=progress)
        _unpack(archive, fresh)
    if destination.exists():
        shutil.rmtree(destination)
    fresh.rename(destination)
    return Downloaded(path, destination)


async def fetch_checkpoint(
    rest: AsyncRestClient,
    path: str,
    *,
    output_dir: Path | None = None,
    force: bool = False,
    sha256: str | None = None,
    progress: Progress | None = None,
) -> Downloaded:
    """As `download_checkpoint`: the form that blocking clients have as a method."""
    return await download_checkpoint(
        rest, path, output_dir=output_dir, force=force, sha256=sha256, progress=progress
    )


def _unpack(archive: Path, fresh: Path) -> None:
    """Unpack into a new directory and remove the archive; leave nothing behind on failure."""
    shutil.rmtree(fresh, ignore_errors=True)
    try:
        extract_archive(archive, fresh)
    except (TinkerError, OSError):
        shutil.rmtree(fresh, ignore_errors=True)
        raise
    finally:
        _discard(archive)


async def fetch_file(
    transport: Transport,
    url: str,
    target: Path,
    *,
    sha256: str | None = None,
    progress: Progress | None = None,
) -> None:
    """Download to `target`, continuing what is already there.

    After an interruption the rest is asked for with a range, waiting 1, 2, 4 … s between tries. A
    server that ignores ranges makes it start again. Raises `ApiStatusError` for any answer but
    success, `ApiConnectionError` when it keeps breaking, `ValidationError` for a wrong checksum
    (the file is removed then).
    """
    for interruption in range(_MAX_INTERRUPTIONS + 1):
        try:
            async with transport.anonymous() as http:
                await _fetch_rest(http, url, target, progress)
            break
        except (httpx.TransportError, _ShortBodyError) as error:
            if interruption == _MAX_INTERRUPTIONS:
                raise ApiConnectionError(
                    f"the download broke {interruption + 1} times: {error}",
                    category=Category.SERVER,
                ) from error
            await transport.clock.sleep(2.0**interruption)
    if sha256 is not None:
        _verify(target, sha256)


class _ShortBodyError(Exception):
    """Fewer bytes came than were promised."""


async def _fetch_rest(
    http: httpx.AsyncClient, url: str, target: Path, progress: Progress | None
) -> None:
    held = _held(target)
    headers = {"accept-encoding": "identity"} | ({"range": f"bytes={held}-"} if held else {})
    async with http.stream("GET", url, headers=headers, timeout=_TIMEOUT) as response:
        if response.status_code == 416:  # what we hold is complete, or of another file
            if _whole_size(response) == held:
                return
            _discard(target)
            raise _ShortBodyError("the partial file does not fit")
        if response.status_code not in (200, 206):
            raise _failed(response.status_code)
        tag = response.headers.get("etag")
        if response.status_code == 206 and not _same_file(target, tag):
            _discard(target)
            raise _ShortBodyError("the partial file is of another archive")
        _remember(target, tag)
        start = held if response.status_code == 206 else 0
        promised = response.headers.get("content-length")
        total = None if promised is None else start + int(promised)
        written = await _write(response, target, start, total, progress)
        if total is not None and written < total:
            raise _ShortBodyError(f"{written} of {total} bytes came")


async def _write(
    response: httpx.Response, target: Path, start: int, total: int | None, progress: Progress | None
) -> int:
    written = start
    with target.open("ab" if start else "wb") as file:
        async for piece in response.aiter_bytes():
            file.write(piece)
            written += len(piece)
            if progress is not None and total is not None:
                progress(written, total)
    return written


def _tag_file(target: Path) -> Path:
    return target.with_name(f"{target.name}.etag")


def _same_file(target: Path, tag: str | None) -> bool:
    """Whether what is held is of the file that the server has; without marks there is no saying."""
    kept = _tag_file(target)
    return tag is None or not kept.exists() or kept.read_text() == tag


def _remember(target: Path, tag: str | None) -> None:
    if tag is None:
        _tag_file(target).unlink(missing_ok=True)
    else:
        _tag_file(target).write_text(tag)


def _held(target: Path) -> int:
    return target.stat().st_size if target.exists() else 0


def _discard(target: Path) -> None:
    target.unlink(missing_ok=True)
    _tag_file(target).unlink(missing_ok=True)


def _whole_size(response: httpx.Response) -> int | None:
    """From `content-range: bytes */SIZE`."""
    size = str(response.headers.get("content-range", "")).rpartition("/")[2]
    return int(size) if size.isdigit() else None


def _failed(status: int) -> TinkerError:
    category = Category.USER if 400 <= status < 500 else Category.SERVER
    return ApiStatusError(f"Download failed with HTTP {status}", status=status, category=category)


def _verify(target: Path, sha256: str) -> None:
    with target.open("rb") as file:
        actual = hashlib.file_digest(file, "sha256").hexdigest()
    if actual != sha256.lower():
        _discard(target)
        raise invalid(f"the download's sha256 is {actual}, expected {sha256}")
