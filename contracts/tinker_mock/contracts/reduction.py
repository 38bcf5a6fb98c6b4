"""Large wrong values made small: the rule that they break stays broken.

A validator lists all errors at once. For a million wrong items that takes half a minute, in which
nothing else runs; who sent them reads the first.
"""

from collections.abc import Callable, Set
from typing import Any

FEW = 8
"""Items of an array that may all be wrong."""
FEW_NAMES = 100
"""Names of an object that may all be unknown to the contract."""
LONG_TEXT = 4096
FEW_VALUES = 300
"""A value with no more inside is left as it is."""


def reduced(value: Any, valid: Callable[[Any], bool], known: Set[str]) -> Any:
    """The value, or a small part of it that is wrong as well; places stay what they were.

    Arrays end at their first wrong item, or after a few where something else is wrong too.
    `known` are the names of fields that no object loses.
    """
    if not _more_than(FEW_VALUES, value):
        return value
    return _Reduction(value, valid, known).run()


class _Reduction:
    def __init__(self, value: Any, valid: Callable[[Any], bool], known: Set[str]) -> None:
        self._root = [value]
        self._valid = valid
        self._known = known

    def run(self) -> Any:
        self._reduce(self._root, 0)
        return self._root[0]

    def _reduce(self, holder: Any, place: Any) -> None:
        """Make what the holder has at that place smaller. Holders are copies already."""
        found = holder[place]
        if isinstance(found, str) and len(found) > LONG_TEXT:
            self._shorten(holder, place, found.__getitem__, LONG_TEXT)
        elif isinstance(found, list) and found:
            self._shorten(holder, place, found.__getitem__, FEW)
            kept = holder[place] = list(holder[place])
            last = len(kept) - 1
            for index in range(len(kept)) if len(kept) <= FEW else (last,):
                self._reduce(kept, index)
        elif isinstance(found, dict):
            self._reduce_object(holder, place, found)

    def _reduce_object(self, holder: Any, place: Any, found: dict[str, Any]) -> None:
        fixed = {name: inner for name, inner in found.items() if name in self._known}
        others = [item for item in found.items() if item[0] not in self._known]

        def part(names: slice) -> dict[str, Any]:
            return fixed | dict(others[names])

        holder[place] = dict(found)
        if len(others) > FEW_NAMES:
            self._shorten(holder, place, part, FEW_NAMES, len(others))
        for name in holder[place]:
            self._reduce(holder[place], name)

    def _shorten(
        self, holder: Any, place: Any, part: Callable[[slice], Any], few: int, most: int = -1
    ) -> None:
        """Keep the shortest beginning that is longer than a few and still wrong."""
        most = len(holder[place]) if most < 0 else most
        if most <= few or self._wrong(holder, place, part, few):
            return
        low, high = few, most
        while high - low > 1:
            middle = (low + high) // 2
            if self._wrong(holder, place, part, middle):
                high = middle
            else:
                low = middle
        self._wrong(holder, place, part, high)

    def _wrong(self, holder: Any, place: Any, part: Callable[[slice], Any], size: int) -> bool:
        holder[place] = part(slice(size))
        return not self._valid(self._root[0])


def _more_than(most: int, value: Any) -> bool:
    """Whether there is so much inside: values, and text by its length."""
    count, waiting = 0, [value]
    while waiting and count <= most:
        one = waiting.pop()
        if isinstance(one, str) and len(one) > LONG_TEXT:
            return True
        if isinstance(one, dict | list):
            count += len(one)
            if count <= most:
                waiting.extend(one.values() if isinstance(one, dict) else one)
    return count > most
