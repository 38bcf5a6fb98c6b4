"""How deep a JSON text is at each of its bytes, without parsing it."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

SLICE = 1 << 18
"""Bytes that are looked at in one go."""
QUOTE, BACKSLASH, COMMA = b'"\\,'
STEPS: NDArray[np.int8] = np.zeros(256, dtype=np.int8)
STEPS[list(b"[{")], STEPS[list(b"]}")] = 1, -1


class Levels(NamedTuple):
    """A slice of JSON, outside of its strings: where it begins, its bytes, and after each of them
    how deep it is."""

    start: int
    text: NDArray[np.uint8]
    outside: NDArray[np.bool_]
    depth: NDArray[np.int32]


def levels(content: bytes) -> Iterator[Levels]:
    """The slices of a JSON text; what is no JSON gets some levels as well."""
    inside, depth, start = False, 0, 0
    while start < len(content):
        text = np.frombuffer(content, np.uint8, _size(content, start), start)
        quotes = _quotes(text)
        within = np.logical_xor.accumulate(quotes) ^ inside
        outside = ~within & ~quotes
        deep = np.cumsum(np.where(outside, STEPS[text], 0), dtype=np.int32) + depth
        yield Levels(start, text, outside, deep)
        inside, depth, start = bool(within[-1]), int(deep[-1]), start + text.size


def _size(content: bytes, start: int) -> int:
    """Of the slice that begins there; it does not end within an escape."""
    end = min(start + SLICE, len(content))
    piece = content[start:end]
    odd = (len(piece) - len(piece.rstrip(b"\\"))) % 2
    return min(end + odd, len(content)) - start


def _quotes(text: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Where strings begin and end."""
    found: NDArray[np.bool_] = text == QUOTE
    escapes = text == BACKSLASH
    if escapes.any():
        # A quote after an odd number of backslashes belongs to its string.
        place = np.arange(text.size)
        last_other = np.maximum.accumulate(np.where(escapes, -1, place))
        run = np.concatenate([[0], (place - last_other)[:-1]])
        found &= run % 2 == 0
    return found
