"""Large JSON read piece by piece: a parser keeps everybody else from running until it is done."""

import re
from collections.abc import Iterator
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

from tinker_mock.server.budget import checkpoint
from tinker_mock.server.http.json_faults import (
    MOST_CONTAINERS,
    MOST_NAMES,
    Malformed,
    TooDeep,
    TooManyContainers,
    TooManyNames,
)
from tinker_mock.server.wire.levels import COMMA, STEPS, levels
from tinker_mock.server.wire.nesting import DEEPEST

NAME = re.compile(rb'\s*("(?:[^"\\]|\\.){0,65536}")\s*:', re.DOTALL)
SPACE = b" \t\r\n"
CLOSING = {ord("["): ord("]"), ord("{"): ord("}")}
PIECE = 1 << 18
"""Bytes that are parsed in one go."""
Places = NDArray[np.int64]


def load_pieces(content: bytes, most_containers: int = MOST_CONTAINERS) -> Any:
    """The value; raises Malformed, TooDeep, TooManyContainers or TooManyNames."""
    return _Text(content, most_containers).load(0, len(content))


class _Text:
    """A JSON text and where its structure is: brackets and commas outside of strings."""

    def __init__(self, content: bytes, most_containers: int) -> None:
        self._content = content
        places, depths, containers = [], [], 0
        for part in levels(content):
            checkpoint()
            if part.depth.size and part.depth.max() > DEEPEST:
                raise TooDeep
            marks = np.flatnonzero(part.outside & ((STEPS[part.text] != 0) | (part.text == COMMA)))
            containers += int(np.count_nonzero(STEPS[part.text[marks]] == 1))
            if containers > most_containers:
                raise TooManyContainers
            places.append(marks + part.start)
            depths.append(part.depth[marks])
        self._places: Places = np.concatenate(places)
        self._depths = np.concatenate(depths)

    def load(self, start: int, end: int) -> Any:
        """The value between the two."""
        first, last = np.searchsorted(self._places, [start, end])
        if end - start <= PIECE or first == last:
            return self._parsed(start, end)
        checkpoint()
        opening = int(self._places[first])
        kind = self._content[opening]
        if kind not in CLOSING or self._content[start:opening].strip(SPACE):
            raise Malformed(start, "unexpected character")
        cuts = self._cuts(int(first), int(last), CLOSING[kind], end)
        if len(cuts) == 2 and not self._content[cuts[0] + 1 : cuts[1]].strip(SPACE):
            return [] if kind == ord("[") else {}
        return self._array(cuts) if kind == ord("[") else self._object(cuts)

    def _cuts(self, first: int, last: int, closing: int, end: int) -> Places:
        """The places of an opening bracket, the commas of its own level, and its closing one."""
        depths, level = self._depths[first:last], int(self._depths[first])
        closed = int(np.argmax(depths < level)) if (depths < level).any() else 0
        if closed == 0:
            raise Malformed(end, "unexpected end of data")
        place = int(self._places[first + closed])
        if self._content[place] != closing:
            raise Malformed(place, "unexpected character")
        if first + closed + 1 < last or self._content[place + 1 : end].strip(SPACE):
            raise Malformed(place + 1, "unexpected content after document")
        own = self._places[first : first + closed][depths[:closed] == level]
        text = np.frombuffer(self._content, np.uint8)
        return np.concatenate([own[:1], own[text[own] == COMMA], [place]])

    def _batches(self, cuts: Places) -> Iterator[tuple[int, int, int]]:
        """As many neighbours as fit into a piece, at least one: begin, end and how many."""
        begin = 0
        while begin < len(cuts) - 1:
            checkpoint()
            fit = int(np.searchsorted(cuts, cuts[begin] + PIECE, "right")) - 1
            stop = max(begin + 1, fit)
            yield int(cuts[begin]) + 1, int(cuts[stop]), stop - begin
            begin = stop

    def _array(self, cuts: Places) -> list[Any]:
        found: list[Any] = []
        for start, end, count in self._batches(cuts):
            if count == 1:
                found.append(self.load(start, end))
            else:
                found += self._parsed(start, end, b"[%b]")
        return found

    def _object(self, cuts: Places) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for start, end, count in self._batches(cuts):
            name = NAME.match(self._content, start, end) if end - start > PIECE else None
            if count == 1 and name is not None:
                found[self._parsed(name.start(1), name.end(1))] = self.load(name.end(), end)
            else:
                pairs = self._parsed(start, end, b"{%b}")
                if not pairs:
                    raise Malformed(start, "unexpected character")
                found |= pairs
            if len(found) > MOST_NAMES:
                raise TooManyNames
        return found

    def _parsed(self, start: int, end: int, within: bytes = b"%b") -> Any:
        try:
            return orjson.loads(within % self._content[start:end])
        except orjson.JSONDecodeError as error:
            place = start + error.pos - within.index(b"%")
            raise Malformed(place, error.msg) from error
