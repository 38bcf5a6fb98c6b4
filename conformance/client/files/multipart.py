"""`multipart/form-data` bodies: fields first, then files."""

from collections.abc import Callable, Mapping
from typing import Any
from uuid import uuid4

from .forms import form_fields
from .reading import FileTypes, transform_files

_CRLF = b"\r\n"
_DEFAULT_TYPE = "application/octet-stream"


def new_boundary() -> str:
    """32 hexadecimal digits."""
    return uuid4().hex


def encode_multipart(
    fields: Mapping[str, Any],
    files: Mapping[str, FileTypes] | None = None,
    *,
    boundary: str | None = None,
    boundary_source: Callable[[], str] = new_boundary,
) -> tuple[bytes, str]:
    """The body and its content type. Raises `ValidationError` for an unreadable file."""
    boundary = boundary or boundary_source()
    parts = [_part(name, text.encode(), None, []) for name, text in form_fields(fields)]
    for name, file in transform_files(files or {}).items():
        parts.append(_file_part(name, file))
    opening = f"--{boundary}".encode() + _CRLF
    body = b"".join(opening + part + _CRLF for part in parts)
    return body + f"--{boundary}--".encode() + _CRLF, f"multipart/form-data; boundary={boundary}"


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
