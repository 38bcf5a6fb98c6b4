"""Heads of requests read line by line, but each line once.

A client sends the same twenty header lines with every request: a line that was seen before is
known. Only requests of the usual kind are read here, whose meaning nobody can mistake; whatever
else came is left to h11, with its refusals.
"""

import re
from typing import NamedTuple

Field = tuple[bytes, bytes]
Read = tuple[Field, str, str]
"""A field, and its name and value as text."""
MOST, LONGEST = 2048, 256
"""Lines that are known, and the bytes of one that is worth it."""
MOST_DIGITS = 15
FIRST = re.compile(rb"(GET|POST|PUT|PATCH|DELETE) (/[!-~]*) HTTP/1\.1")
NAME = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
VALUE = re.compile(rb"[\t -~\x80-\xff]*")
UNUSUAL = {b"transfer-encoding", b"upgrade", b"expect", b"http2-settings", b"trailer", b"te"}
"""Fields that change what comes after the head."""

_known: dict[bytes, Read] = {}


class Head(NamedTuple):
    """A request's line and fields, names in lower case; `length` is that of its body.

    `texts` are the fields as text; of several of one name the last.
    """

    method: str
    target: bytes
    fields: list[Field]
    texts: dict[str, str]
    length: int


def read_head(lines: list[bytes]) -> Head | None:
    """The head that these lines are; None for one that is not of the usual kind."""
    first = FIRST.fullmatch(lines[0])
    if first is None:
        return None
    fields: list[Field] = []
    texts: dict[str, str] = {}
    hosts, length = 0, b""
    for line in lines[1:]:
        read = _known.get(line) or _read(line)
        if read is None:
            return None
        field, name, text = read
        if name == "host":
            hosts += 1
        elif name == "content-length":
            if length:
                return None
            length = field[1]
        fields.append(field)
        texts[name] = text
    if hosts != 1 or not (length.isdigit() or not length) or len(length) > MOST_DIGITS:
        return None
    return Head(first[1].decode(), first[2], fields, texts, int(length or 0))


def _read(line: bytes) -> Read | None:
    name, colon, value = line.partition(b":")
    name, value = name.lower(), value.strip(b" \t")
    if not (colon and NAME.fullmatch(name) and VALUE.fullmatch(value)) or name in UNUSUAL:
        return None
    if name == b"connection" and value.lower() != b"keep-alive":
        return None
    if name == b"content-length" and not value:
        return None
    read = (name, value), str(name, "latin-1"), str(value, "latin-1")
    if len(line) <= LONGEST:
        if len(_known) >= MOST:
            _known.clear()
        _known[line] = read
    return read
