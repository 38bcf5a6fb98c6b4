"""Values as bytes: JSON, with arrays, bytes and the engine's results in it.

    4 bytes   length of the head, big-endian
    head      JSON: {"mark": text, "parts": [[dtype, shape], …], "body": bytes of the body}
    body      JSON; {mark: [kind, value]} stands for what JSON has no word for
    parts     the arrays' and byte strings' own bytes, one after the other

No code is in it: reading a foreign file makes values, whatever it says. Lists of numbers are
written and read at the speed of orjson, which matters for bodies of requests.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from functools import cache
from typing import Any

import orjson

from tinker_mock.server.lazy_module import IMPORTING

MARK = "\u0001"
OPTIONS = orjson.OPT_PASSTHROUGH_DATACLASS | orjson.OPT_NON_STR_KEYS
LENGTH = 4
BYTES = "bytes"


class Unreadable(ValueError):
    """These bytes are no value, or one of a kind that this release does not know."""


def encode(value: Any) -> bytes:
    """The bytes of a value. Raises TypeError for what cannot be kept."""
    mark = MARK
    while True:
        body, parts, count = _body(value, mark)
        # Text of a client may look like the mark: then it is not one.
        if body.count(orjson.dumps(mark) + b":") == count:
            break
        mark += MARK
    shapes = [[_dtype(part), _shape(part)] for part in parts]
    head = orjson.dumps({"mark": mark, "parts": shapes, "body": len(body)})
    data = [part if isinstance(part, bytes) else part.tobytes() for part in parts]
    return b"".join([len(head).to_bytes(LENGTH, "big"), head, body, *data])


def _body(value: Any, mark: str) -> tuple[bytes, list[Any], int]:
    parts: list[Any] = []
    count = 0

    def special(thing: Any) -> Any:
        nonlocal count
        if hasattr(thing, "dtype") and getattr(thing, "shape", None) == ():
            return thing.item()
        count += 1
        if isinstance(thing, bytes) or hasattr(thing, "dtype"):
            parts.append(thing)
            return {mark: ["part", len(parts) - 1]}
        if is_dataclass(thing):
            return {mark: [type(thing).__name__, _plain(thing)]}
        if isinstance(thing, Mapping):
            count -= 1
            return dict(thing)
        raise TypeError(f"{type(thing).__name__} cannot be kept")

    return orjson.dumps(value, default=special, option=OPTIONS), parts, count


def _plain(thing: Any) -> dict[str, Any]:
    return {each.name: getattr(thing, each.name) for each in fields(thing)}


def _dtype(part: Any) -> str:
    return BYTES if isinstance(part, bytes) else str(part.dtype.str)


def _shape(part: Any) -> list[int]:
    return [len(part)] if isinstance(part, bytes) else list(part.shape)


def decode(data: bytes) -> Any:
    """The value of these bytes. Raises Unreadable."""
    try:
        start = LENGTH + int.from_bytes(data[:LENGTH], "big")
        head = orjson.loads(data[LENGTH:start])
        body = data[start : start + head["body"]]
        value, mark = orjson.loads(body), head["mark"]
        if orjson.dumps(mark) + b":" not in body:
            return value
        return _revived(value, mark, _parts(data, start + head["body"], head["parts"]))
    except (KeyError, IndexError, TypeError, ValueError) as error:
        raise Unreadable(f"not a kept value: {error}") from error


def _parts(data: bytes, at: int, shapes: list[Any]) -> list[Any]:
    with IMPORTING:
        import numpy as np

    parts: list[Any] = []
    for dtype, shape in shapes:
        if dtype == BYTES:
            part = data[at : at + shape[0]]
            if len(part) != shape[0]:
                raise Unreadable("its end is missing")
            parts.append(part)
            at += len(part)
            continue
        kind = np.dtype(dtype)
        if kind.hasobject:
            raise Unreadable("an array of objects")
        count = int(np.prod(shape, dtype=np.int64))
        parts.append(np.frombuffer(data, kind, count, at).reshape(shape).copy())
        at += count * kind.itemsize
    return parts


def _revived(value: Any, mark: str, parts: list[Any]) -> Any:
    if isinstance(value, list):
        if not any(isinstance(one, (dict, list)) for one in value):
            return value
        return [_revived(one, mark, parts) for one in value]
    if not isinstance(value, dict):
        return value
    if mark in value:
        kind, told = value[mark]
        return parts[told] if kind == "part" else _made(kind, _revived(told, mark, parts))
    return {key: _revived(one, mark, parts) for key, one in value.items()}


def _made(kind: str, told: Any) -> Any:
    makers: dict[str, Callable[[Any], Any]] = _makers()
    if kind not in makers:
        raise Unreadable(f"a {kind}, which this release does not know")
    return makers[kind](told)


@cache
def _makers() -> dict[str, Callable[[Any], Any]]:
    with IMPORTING:
        from tinker_mock.server.engine import LossResult, SampledSequence, SampleResult, TopK
        from tinker_mock.server.state.promise import Outcome

    kinds: tuple[type[Any], ...] = (Outcome, LossResult, SampleResult, SampledSequence, TopK)
    return {kind.__name__: _taker(kind) for kind in kinds}


def _taker(kind: type[Any]) -> Callable[[Any], Any]:
    return lambda told: kind(**told)
