"""Files to send: bytes, paths, or tuples (name, content[, content type[, headers]])."""

import asyncio
from collections.abc import Mapping
from os import PathLike
from pathlib import Path
from typing import Any

from ..errors import ValidationError, invalid

FileContent = bytes | str | PathLike[str]
FileTypes = FileContent | tuple[Any, ...]


def looks_like_path(text: str) -> bool:
    """Whether a plain string means a file: it exists, has a separator, or starts with . or ~."""
    if "/" in text or "\\" in text or text.startswith((".", "~")):
        return True
    try:
        return Path(text).exists()
    except (OSError, ValueError):
        return False


def read_content(content: FileContent) -> bytes:
    """The bytes of a content or of the file at a path.

    Raises `ValidationError` whose data has the reason: `enoent`, `eisdir` or `eacces`.
    """
    if isinstance(content, bytes):
        return content
    if isinstance(content, str) and not looks_like_path(content):
        return content.encode()
    path = Path(content).expanduser()
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise _unreadable(path, "enoent") from None
    except IsADirectoryError:
        raise _unreadable(path, "eisdir") from None
    except PermissionError:
        raise _unreadable(path, "eacces") from None


async def read_content_async(content: FileContent) -> bytes:
    """As `read_content`, without blocking the event loop."""
    return await asyncio.to_thread(read_content, content)


def filename_of(file: FileTypes) -> str | None:
    """The name to send: of a path its last part, of a tuple its first item."""
    if isinstance(file, tuple):
        return None if file[0] is None else str(file[0])
    if isinstance(file, PathLike):
        return Path(file).name
    return Path(file).name if isinstance(file, str) and looks_like_path(file) else None


def transform_file(file: FileTypes) -> bytes | tuple[Any, ...]:
    """A file with its content read: bytes stay, a path becomes (name, content).

    Tuples keep their form. Raises `ValidationError` for anything else.
    """
    if isinstance(file, bytes):
        return file
    if isinstance(file, (str, PathLike)):
        content = read_content(file)
        name = filename_of(file)
        return content if name is None else (name, content)
    if isinstance(file, tuple) and 2 <= len(file) <= 4:
        name, content, *rest = file
        return (name, read_content(content), *rest)
    raise invalid(f"a file is bytes, a path or (name, content[, type[, headers]]), got {file!r}")


async def transform_file_async(file: FileTypes) -> bytes | tuple[Any, ...]:
    """As `transform_file`, without blocking the event loop."""
    return await asyncio.to_thread(transform_file, file)


def transform_files(files: Mapping[str, FileTypes]) -> dict[str, bytes | tuple[Any, ...]]:
    """Each file transformed, under its field name."""
    return {name: transform_file(file) for name, file in files.items()}


def _unreadable(path: Path, reason: str) -> ValidationError:
    return invalid(f"cannot read {path}: {reason}", reason=reason)
