"""Files and forms, as `multipart/form-data`: no operation of the API takes them.

A file is bytes, an open file, a path, or a tuple (name, content[, content type[, headers]]).
Nested values become fields named `user[name]`, `tags[]`, `items[][id]`.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import IO, Any
from uuid import uuid4

from tinker_mock.client.errors import ValidationError, invalid

FileContent = bytes | str | PathLike[str] | IO[Any]
FileTypes = FileContent | tuple[Any, ...]
Files = Mapping[str, FileTypes] | Sequence[tuple[str, FileTypes]]
"""Files by field name; as pairs, one name may come several times."""

Field = tuple[str, str]
_CRLF = b"\r\n"
_DEFAULT_TYPE = "application/octet-stream"


def new_boundary() -> str:
    """32 hexadecimal digits."""
    return uuid4().hex


def encode_multipart(
    fields: Mapping[str, Any],
    files: Files | None = None,
    *,
    boundary: str | None = None,
    boundary_source: Callable[[], str] = new_boundary,
) -> tuple[bytes, str]:
    """The body and its content type. Raises `ValidationError` for an unreadable file."""
    boundary = boundary or boundary_source()
    parts = [_part(name, text.encode(), None, []) for name, text in form_fields(fields)]
    named = files.items() if isinstance(files, Mapping) else files or ()
    parts += [_file_part(name, transform_file(file)) for name, file in named]
    opening = f"--{boundary}".encode() + _CRLF
    body = b"".join(opening + part + _CRLF for part in parts)
    return body + f"--{boundary}--".encode() + _CRLF, f"multipart/form-data; boundary={boundary}"


def form_fields(values: Mapping[str, Any]) -> list[Field]:
    """Flat (name, text) pairs; a name may come several times. None is empty, booleans as JSON."""
    return [field for name, value in values.items() for field in _flatten(name, value)]


def serialize_form(values: Mapping[str, Any]) -> dict[str, str | list[str]]:
    """The same as a mapping; names that come several times, or end in `[]`, hold a list."""
    form: dict[str, str | list[str]] = {}
    for name, text in form_fields(values):
        held = form.get(name)
        if isinstance(held, list):
            held.append(text)
        elif held is not None:
            form[name] = [held, text]
        else:
            form[name] = [text] if name.endswith("[]") else text
    return form


def transform_files(files: Mapping[str, FileTypes]) -> dict[str, bytes | tuple[Any, ...]]:
    """Each file transformed, under its field name."""
    return {name: transform_file(file) for name, file in files.items()}


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
    if not isinstance(file, tuple) and hasattr(file, "read"):
        content, name = read_content(file), getattr(file, "name", None)
        return (Path(name).name, content) if isinstance(name, str) else content
    if isinstance(file, tuple) and 2 <= len(file) <= 4:
        name, content, *rest = file
        return (name, read_content(content), *rest)
    raise invalid(
        f"a file is bytes, an open file, a path or (name, content[, type[, headers]]), got {file!r}"
    )


def read_content(content: FileContent) -> bytes:
    """The bytes of a content or of the file at a path.

    Raises `ValidationError` whose data has the reason: `enoent`, `eisdir` or `eacces`.
    """
    if isinstance(content, bytes):
        return content
    if hasattr(content, "read"):
        found = content.read()
        return found if isinstance(found, bytes) else str(found).encode()
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


def filename_of(file: FileTypes) -> str | None:
    """The name to send: of a path its last part, of a tuple its first item."""
    if isinstance(file, tuple):
        return None if file[0] is None else str(file[0])
    if isinstance(file, PathLike):
        return Path(file).name
    return Path(file).name if isinstance(file, str) and looks_like_path(file) else None


def looks_like_path(text: str) -> bool:
    """Whether a plain string means a file: it exists, has a separator, or starts with . or ~."""
    if "/" in text or "\\" in text or text.startswith((".", "~")):
        return True
    try:
        return Path(text).exists()
    except (OSError, ValueError):
        return False


def _unreadable(path: Path, reason: str) -> ValidationError:
    return invalid(f"cannot read {path}: {reason}", reason=reason)


def _flatten(name: str, value: Any) -> Iterator[Field]:
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from _flatten(f"{name}[{key}]", item)
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from _flatten(f"{name}[]", item)
    else:
        yield name, _text(value)


def _text(value: Any) -> str:
    if value is None:
        return ""
    return str(value).lower() if isinstance(value, bool) else str(value)


def _file_part(name: str, file: bytes | tuple[Any, ...]) -> bytes:
    if isinstance(file, bytes):
        return _part(name, file, None, [("Content-Type", _DEFAULT_TYPE)])
    filename, content, *rest = file
    kind = rest[0] if rest else None
    extra = dict(rest[1]) if len(rest) > 1 else {}
    return _part(name, content, filename, [("Content-Type", kind or _DEFAULT_TYPE), *extra.items()])


def _part(name: str, content: bytes, filename: str | None, headers: list[tuple[str, str]]) -> bytes:
    disposition = f'form-data; name="{_quoted(name)}"'
    if filename is not None:
        disposition += f'; filename="{_quoted(filename)}"'
    lines = [("Content-Disposition", disposition), *headers]
    head = "".join(f"{key}: {_single_line(value)}\r\n" for key, value in lines)
    return head.encode() + _CRLF + content


def _quoted(text: str) -> str:
    """Escaped as browsers do, so that a name can never end its header early."""
    return text.replace('"', "%22").replace("\r", "%0D").replace("\n", "%0A")


def _single_line(text: str) -> str:
    return text.replace("\r", " ").replace("\n", " ")
