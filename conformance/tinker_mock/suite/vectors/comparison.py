"""Does an actual value satisfy an expected one? Exact by default, with the vectors' assertion keys.

An expected object may carry assertion keys instead of a value: `K_contains`, `K_prefix`,
`K_endswith` and `K_one_of` judge `actual[K]`, the bare words the whole actual value. Everything
else must be equal, with no field missing and none too many (unless the actual is a `Partial`).
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

FLOAT_NOISE = 1e-12


Component = Callable[[Any, Mapping[str, Any]], Any]
"""What a vector is about: its input and the whole entry in, the actual value out."""


class Partial(dict[str, Any]):
    """An actual object that knows more fields than a vector asks for."""


@dataclass(frozen=True)
class Chosen:
    """An actual value and the expected column it answers, with the reason for the choice."""

    column: str
    actual: Any
    why: str


def _each(wanted: Any) -> list[Any]:
    return wanted if isinstance(wanted, list) else [wanted]


def _text(actual: Any) -> str:
    return actual if isinstance(actual, str) else repr(actual)


def _holds_all(actual: Any, wanted: Any) -> bool:
    held = actual if isinstance(actual, list | dict) else _text(actual)
    return all(one in held for one in _each(wanted))


ASSERTIONS: dict[str, Callable[[Any, Any], bool]] = {
    "contains": _holds_all,
    "prefix": lambda actual, wanted: _text(actual).startswith(wanted),
    "endswith": lambda actual, wanted: _text(actual).endswith(wanted),
    "one_of": lambda actual, wanted: any(difference(one, actual) is None for one in wanted),
}


def _assertion(key: str, actual: Any) -> tuple[str, Callable[[Any, Any], bool]] | None:
    """The field an assertion key judges ("" = the whole value) and its judge."""
    if key in ASSERTIONS and not (isinstance(actual, Mapping) and key in actual):
        return "", ASSERTIONS[key]
    for word, judge in ASSERTIONS.items():
        field = key.removesuffix(f"_{word}")
        if field != key and isinstance(actual, Mapping) and field in actual:
            return field, judge
    return None


def _judged(expected: Mapping[str, Any], actual: Any) -> dict[str, tuple[str, bool]]:
    verdicts = {}
    for key, wanted in expected.items():
        if isinstance(actual, Mapping) and key in actual:
            continue
        if found := _assertion(key, actual):
            field, judge = found
            verdicts[key] = (field, judge(actual[field] if field else actual, wanted))
    return verdicts


def _object_difference(
    expected: Mapping[str, Any], actual: Any, tolerance: float, at: str
) -> str | None:
    verdicts = _judged(expected, actual)
    for key, (_, holds) in verdicts.items():
        if not holds:
            return f"{at or '/'}: {key} {_short(expected[key])} does not hold for {_short(actual)}"
    if not isinstance(actual, Mapping):
        if len(verdicts) == len(expected) and verdicts:
            return None
        return f"{at or '/'}: expected {_short(expected)}, got {_short(actual)}"
    for key, wanted in expected.items():
        if key in verdicts:
            continue
        if key not in actual:
            return f"{at}/{key}: missing, expected {_short(wanted)} (got {_short(actual)})"
        if found := difference(wanted, actual[key], tolerance, f"{at}/{key}"):
            return found
    judged = {field for field, _ in verdicts.values()}
    extra = [key for key in actual if key not in expected and key not in judged]
    if extra and "" not in judged and not isinstance(actual, Partial):
        return f"{at}/{extra[0]}: not expected, got {_short(actual[extra[0]])}"
    return None


def _number_agrees(expected: float, actual: float, tolerance: float) -> bool:
    if expected == actual:
        return True
    if isinstance(expected, int) and isinstance(actual, int) and not tolerance:
        return False
    allowed = max(tolerance, FLOAT_NOISE)
    return math.isclose(expected, actual, rel_tol=allowed, abs_tol=tolerance)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def difference(expected: Any, actual: Any, tolerance: float = 0.0, at: str = "") -> str | None:
    """The first difference, as "POINTER: what", or None when `actual` satisfies `expected`."""
    if isinstance(actual, tuple):
        actual = list(actual)
    if isinstance(expected, Mapping):
        return _object_difference(expected, actual, tolerance, at)
    if isinstance(expected, list) and isinstance(actual, list):
        if len(expected) != len(actual):
            return (
                f"{at or '/'}: {len(expected)} items expected, got {len(actual)}: {_short(actual)}"
            )
        pairs = zip(expected, actual, strict=True)
        found = (difference(e, a, tolerance, f"{at}/{i}") for i, (e, a) in enumerate(pairs))
        return next((one for one in found if one), None)
    if _is_number(expected) and _is_number(actual):
        agrees = _number_agrees(expected, actual, tolerance)
    else:
        agrees = type(expected) is type(actual) and expected == actual
    return None if agrees else f"{at or '/'}: expected {_short(expected)}, got {_short(actual)}"


def _short(value: Any, limit: int = 160) -> str:
    text = repr(value)
    return text if len(text) <= limit else f"{text[:limit]}…"
