"""JSON bodies read within bounds: how many values they have, and how deep these nest."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import orjson

from tinker_mock.server.errors import BadRequest
from tinker_mock.server.http.json_faults import (
    MOST_CONTAINERS,
    MOST_NAMES,
    Malformed,
    TooDeep,
    TooManyContainers,
    TooManyNames,
)
from tinker_mock.server.lazy_module import LazyModule
from tinker_mock.server.wire.nesting import DEEPEST, counted, too_deep

if TYPE_CHECKING:
    from tinker_mock.server.http import json_pieces
else:
    json_pieces = LazyModule("tinker_mock.server.http.json_pieces")

MOST_VALUES = 1 << 21
VALUE_SIZE = 64
"""Bytes that a value takes once it is read, whatever it took on the wire."""
FEW = 64 * 1024
"""Bodies below this size cannot have so many that it matters."""
IN_PIECES = 512 * 1024
"""Bodies from this size on are not parsed in one go."""


def read_json(content: bytes, take: Callable[[int], None]) -> Any:
    """The value; raises BadRequest, and what `take` raises when told of the memory it needs."""
    if len(content) > FEW:
        take(VALUE_SIZE * _count(content))
    try:
        return json_pieces.load_pieces(content) if len(content) > IN_PIECES else _load(content)
    except TooDeep:
        raise _refusal("arrays and objects nest deeper than", DEEPEST, "levels") from None
    except TooManyContainers:
        what = "arrays and objects"
        raise _refusal("more than", MOST_CONTAINERS, what) from None
    except TooManyNames:
        raise _refusal("an object has more than", MOST_NAMES, "names") from None
    except Malformed as error:
        raise BadRequest(
            f"body: malformed JSON at byte {error.place}: {error}",
            rule="the body is one JSON value in UTF-8",
            fix="send valid JSON" if content else "send a JSON body",
            requirement="errors/malformed-json/refused",
        ) from error


def _load(content: bytes) -> Any:
    try:
        value = orjson.loads(content)
    except orjson.JSONDecodeError as error:
        if "depth limit" in error.msg or "recursion" in error.msg.lower():
            raise TooDeep from None
        raise Malformed(error.pos, error.msg) from error
    if len(content) > DEEPEST and too_deep(content):
        raise TooDeep
    return value


def values_of(content: bytes) -> int:
    """How many values there are at most."""
    return counted(content, b",[{")


def _count(content: bytes) -> int:
    """As `values_of`; raises BadRequest beyond the limit."""
    count = values_of(content)
    if count > MOST_VALUES:
        raise BadRequest(
            f"body: more than {MOST_VALUES} values",
            rule=f"at most {MOST_VALUES} values in a JSON body",
            fix="send less at a time, or tensors as protobuf",
        )
    return count


def _refusal(problem: str, most: int, what: str) -> BadRequest:
    return BadRequest(
        f"body: {problem} {most} {what}",
        rule=f"at most {most} {what}",
        fix="flatten the value" if what == "levels" else "send less at a time",
    )
