"""Large values written as JSON some items at a time: a long call keeps everybody else waiting."""

from collections.abc import Iterator
from typing import Any

import orjson

from tinker_mock.server.budget import checkpoint

AT_ONCE = 4096
"""Items that are written in one go."""


def json_pieces(value: Any, option: int = 0) -> Iterator[bytes]:
    """The text of a value in pieces; `option` is orjson's."""
    checkpoint()
    if isinstance(value, dict):
        names = sorted(value) if option & orjson.OPT_SORT_KEYS else list(value)
        for place, name in enumerate(names):
            yield b"," if place else b"{"
            yield orjson.dumps({name: None}, option=option)[1:-5]
            yield from json_pieces(value[name], option)
        yield b"}" if names else b"{}"
    elif isinstance(value, list | tuple) and value and isinstance(value[0], dict | list | tuple):
        for place, item in enumerate(value):
            yield b"," if place else b"["
            yield from json_pieces(item, option)
        yield b"]"
    elif isinstance(value, list) and len(value) > AT_ONCE:
        for start in range(0, len(value), AT_ONCE):
            yield b"," if start else b"["
            yield orjson.dumps(value[start : start + AT_ONCE], option=option)[1:-1]
        yield b"]"
    else:
        yield orjson.dumps(value, option=option)
