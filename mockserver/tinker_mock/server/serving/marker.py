"""The settings that pytest's marker `tinker_mock` gives, and what is wrong with them."""

from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from types import UnionType
from typing import Any, get_args, get_origin, get_type_hints

from tinker_mock.server.settings import Settings

ALSO: dict[Any, tuple[type, ...]] = {
    float: (int, float),
    Path: (str, Path),
    Sequence: (list, tuple),
    Mapping: (Mapping,),
}
"""What else does where a setting has this type; a bool is no number."""


def fault_of(given: tuple[Any, ...], settings: dict[str, Any]) -> str | None:
    """A sentence about the first thing that is wrong with a marker's arguments, or None."""
    if given:
        return f"the marker tinker_mock takes its settings by name, not {given[0]!r} alone"
    hints = get_type_hints(Settings)
    for name, value in settings.items():
        if name not in hints:
            close = get_close_matches(name, hints, n=1)
            hint = f"did you mean {close[0]}?" if close else f"there are {', '.join(hints)}"
            return f"the marker tinker_mock has no setting {name!r}; {hint}"
        if not _fits(value, hints[name]):
            wanted = getattr(hints[name], "__name__", str(hints[name]))
            return f"the marker tinker_mock: {name} is {wanted}, not {value!r}"
    return None


def _fits(value: Any, hint: Any) -> bool:
    if hint is Any:
        return True
    if isinstance(hint, UnionType):
        return any(_fits(value, one) for one in get_args(hint))
    plain = get_origin(hint) or hint
    if isinstance(value, bool) or plain is bool:
        return plain is bool and isinstance(value, bool)
    return isinstance(value, ALSO.get(plain, (plain,)))
