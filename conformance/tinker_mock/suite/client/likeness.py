"""Whether a value says what another one says: JSON values, as far as they were told."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any, TypeVar

CLOSE = 1e-5
"""Of a number: a client may hold it as float32."""
T = TypeVar("T")


def gaps(want: Any, have: Any, where: str = "") -> Iterator[str]:
    """What `have` lacks of `want`, for people.

    Of objects the named fields count, of lists all items; None is what is not there.
    """
    if isinstance(want, Mapping) and isinstance(have, Mapping):
        for name, value in want.items():
            yield from gaps(value, have.get(name), f"{where}.{name}" if where else str(name))
    elif isinstance(want, list) and isinstance(have, list | tuple):
        if len(want) != len(have):
            yield f"{where}: {len(want)} items, not {len(have)}"
            return
        for place, (one, other) in enumerate(zip(want, have, strict=True)):
            yield from gaps(one, other, f"{where}[{place}]")
    elif not alike(want, have):
        yield f"{where}: {shown(want)}, not {shown(have)}"


def alike(left: Any, right: Any) -> bool:
    """Whether two plain values are the same: numbers as float32 are, times by their moment."""
    if isinstance(left, bool) or isinstance(right, bool):
        return left is right
    if isinstance(left, int | float) and isinstance(right, int | float):
        return abs(left - right) <= CLOSE * max(1.0, abs(left), abs(right)) or left == right
    if isinstance(left, str) and isinstance(right, str) and left != right:
        one, other = moment(left), moment(right)
        return one is not None and one == other
    return bool(left == right)


def moment(text: str) -> datetime | None:
    """The time that a text names."""
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return None


def shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) < 80 else text[:77] + "..."


def paired(wants: Iterable[T], fitting: Mapping[int, list[int]]) -> set[int]:
    """The places of `wants` that get a partner of their own, as many as can be."""
    partner: dict[int, int] = {}

    def placed(want: int, tried: set[int]) -> bool:
        for have in fitting.get(want, ()):
            if have not in tried:
                tried.add(have)
                if have not in partner or placed(partner[have], tried):
                    partner[have] = want
                    return True
        return False

    return {place for place, _ in enumerate(wants) if placed(place, set())}
