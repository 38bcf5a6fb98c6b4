"""JSON pointers (RFC 6901): written, read, and followed into a decoded JSON value.

`""` is the whole value, `/a/0` the first element of its `a`; in a key `~1` stands for `/` and
`~0` for `~`.
"""

import re
from collections.abc import Iterable, Sequence
from typing import Any

INDEX = re.compile(r"0|[1-9][0-9]*")
Place = tuple[Any, Any]
"""A dict and one of its keys, or a list and one of its indices."""


class PointerError(LookupError):
    """The pointer is none, or there is nothing where it points."""


def join(parts: Iterable[str | int]) -> str:
    """The pointer of a path: `["a", 0]` → `/a/0`."""
    return "".join(f"/{str(part).replace('~', '~0').replace('/', '~1')}" for part in parts)


def split(pointer: str) -> list[str]:
    """The path of a pointer; raises PointerError if it neither is empty nor begins with `/`."""
    if pointer and not pointer.startswith("/"):
        raise PointerError(f"{pointer!r} is no JSON pointer: it begins with '/'")
    return [part.replace("~1", "/").replace("~0", "~") for part in pointer.split("/")[1:]]


def look_up(value: Any, pointer: str) -> Any:
    """What the pointer names; raises PointerError if there is nothing."""
    return _follow(value, split(pointer), pointer)


def find(value: Any, pointer: str, default: Any = None) -> Any:
    """What the pointer names, or `default`."""
    try:
        return look_up(value, pointer)
    except PointerError:
        return default


def put(value: Any, pointer: str, new: Any) -> None:
    """Set what the pointer names, in place; a key may be new, what holds it may not.

    Raises PointerError.
    """
    holder, last = _holder(value, pointer)
    if isinstance(holder, dict):
        holder[last] = new
    else:
        holder[_index(holder, last, pointer)] = new


def remove(value: Any, pointer: str) -> None:
    """Take out what the pointer names, in place; raises PointerError if there is nothing."""
    holder, last = _holder(value, pointer)
    _follow(holder, [last], pointer)
    del holder[last if isinstance(holder, dict) else int(last)]


def places(value: Any, pattern: str) -> list[Place]:
    """Every place that a pattern names: a pointer in which `*` is each key or element.

    What is not there is left out; but the last key of an object need not exist yet.
    """
    *path, last = split(pattern)
    holders = [value]
    for part in path:
        found = [place for holder in holders for place in _steps(holder, part)]
        holders = [holder[key] for holder, key in found if _has(holder, key)]
    return [place for holder in holders for place in _steps(holder, last)]


def _follow(value: Any, path: Sequence[str], pointer: str) -> Any:
    for part in path:
        if isinstance(value, dict) and part in value:
            value = value[part]
        else:
            value = value[_index(value, part, pointer)]
    return value


def _holder(value: Any, pointer: str) -> Place:
    path = split(pointer)
    if not path:
        raise PointerError("nothing holds the whole value")
    holder = _follow(value, path[:-1], pointer)
    if not isinstance(holder, dict | list):
        raise PointerError(f"nothing can be at {pointer}")
    return holder, path[-1]


def _index(value: Any, part: str, pointer: str) -> int:
    if isinstance(value, list) and INDEX.fullmatch(part) and int(part) < len(value):
        return int(part)
    raise PointerError(f"there is nothing at {pointer}")


def _steps(holder: Any, part: str) -> list[Place]:
    if isinstance(holder, dict):
        return [(holder, key) for key in (holder if part == "*" else [part])]
    if isinstance(holder, list):
        if part == "*":
            return [(holder, index) for index in range(len(holder))]
        if INDEX.fullmatch(part) and int(part) < len(holder):
            return [(holder, int(part))]
    return []


def _has(holder: Any, key: Any) -> bool:
    return isinstance(holder, list) or key in holder
