"""A part of a file (RFC 9110, Range): what a download that was cut goes on with."""

import re
from collections.abc import Iterator

RANGE = re.compile(r"bytes=(\d+)-(\d*)")


def wanted_range(header: str, size: int) -> tuple[int, int] | None:
    """First byte and the one behind the last that a `Range` header asks for.

    None for everything: without a header, and for forms that a server may ignore (several ranges,
    the last N bytes, other units, beyond the end).
    """
    found = RANGE.fullmatch(header.replace(" ", ""))
    if found is None:
        return None
    first = int(found[1])
    behind = min(size, int(found[2]) + 1) if found[2] else size
    return (first, behind) if first < behind else None


def part(pieces: Iterator[bytes], first: int, behind: int) -> Iterator[bytes]:
    """The bytes from `first` to before `behind` of a file in pieces."""
    at = 0
    for piece in pieces:
        begin, end = max(first - at, 0), min(behind - at, len(piece))
        if begin < end:
            yield piece[begin:end]
        at += len(piece)
        if at >= behind:
            return
