"""How the mock differs from the service: quirks to switch on, and differences on purpose.

Where witnesses are weak or contradict each other, the mock follows the better one and the other
behaviour is a quirk. The rows are `fidelity/quirks.yaml` and `fidelity/differences.yaml`.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, TypeVar

import yaml

from tinker_mock.contracts.locations import CONTRACTS

STRENGTHS = {
    "documented": "the service's own documentation",
    "sdk": "the official SDK's or cookbook's own text",
    "tracker": "an issue on the maintainers' tracker",
    "reader": "somebody's reading of the documentation",
    "measured": "somebody's measurement of the live service",
}
"""What a witness is, the best first."""


DATE = re.compile(r"\d{4}-\d\d(-\d\d)?")


class FidelityError(ValueError):
    """A row that cannot be read; the message names it and the rule."""


@dataclass(frozen=True)
class Witness:
    """Who says so, how well they can know, and when."""

    strength: str
    source: str
    date: str
    """YYYY-MM-DD, or YYYY-MM where the day is not known."""


@dataclass(frozen=True)
class QuirkRow:
    """A behaviour that can be switched on by name, and what happens without it."""

    name: str
    sentence: str
    default: str
    reason: str
    decided: str
    for_default: tuple[Witness, ...]
    for_quirk: tuple[Witness, ...]


@dataclass(frozen=True)
class Difference:
    """What the service does and the mock, on purpose, does not."""

    name: str
    service: str
    mock: str
    reason: str
    decided: str
    witnesses: tuple[Witness, ...]


Row = TypeVar("Row", QuirkRow, Difference)


@cache
def load_quirks() -> Mapping[str, QuirkRow]:
    """Every quirk by name, the one decided last first."""
    return _newest_first(read_quirks(rows_file("quirks")))


@cache
def load_differences() -> Mapping[str, Difference]:
    """Every deliberate difference by name, the one decided last first."""
    return _newest_first(read_differences(rows_file("differences")))


def read_quirks(text: str) -> dict[str, QuirkRow]:
    """Quirks from YAML; raises FidelityError."""
    return {name: QuirkRow(name, **_fields(name, row, QuirkRow)) for name, row in _rows(text)}


def read_differences(text: str) -> dict[str, Difference]:
    """Differences from YAML; raises FidelityError."""
    return {name: Difference(name, **_fields(name, row, Difference)) for name, row in _rows(text)}


def rows_file(name: str) -> str:
    """The text of `fidelity/<name>.yaml`."""
    return (CONTRACTS / "fidelity" / f"{name}.yaml").read_text("utf-8")


def _newest_first(rows: dict[str, Row]) -> Mapping[str, Row]:
    return dict(sorted(rows.items(), key=lambda item: item[1].decided, reverse=True))


def _rows(text: str) -> list[tuple[str, Any]]:
    rows = yaml.safe_load(text)
    if not isinstance(rows, dict):
        raise FidelityError("a mapping of names to rows is wanted")
    return list(rows.items())


def _fields(name: str, row: Any, kind: type) -> dict[str, Any]:
    wanted = [field for field in kind.__dataclass_fields__ if field != "name"]  # type: ignore[attr-defined]
    hold_fields(name, row, wanted)
    return {field: _value(name, field, value) for field, value in row.items()}


def hold_fields(name: str, row: Any, wanted: Iterable[str], optional: Iterable[str] = ()) -> None:
    """Raise FidelityError unless the row is a mapping of the wanted fields, and no others."""
    known = [*wanted, *optional]
    if not isinstance(row, dict):
        raise FidelityError(f"{name}: must be a mapping, got {row!r}")
    for field in row:
        if field not in known:
            raise FidelityError(f"{name}: unknown field {field!r}; known: {', '.join(known)}")
    for field in wanted:
        if field not in row:
            raise FidelityError(f"{name}: {field} is missing")


def _value(name: str, field: str, value: Any) -> Any:
    if field == "decided":
        return _date(name, field, value)
    if field in ("witnesses", "for_default", "for_quirk"):
        return read_witnesses(f"{name}: {field}", value)
    if not isinstance(value, str):
        raise FidelityError(f"{name}: {field} must be text, got {value!r}")
    return " ".join(value.split())


def read_witnesses(name: str, rows: Any) -> tuple[Witness, ...]:
    """At least one witness; `name` says where they stand. Raises FidelityError."""
    if not isinstance(rows, list) or not rows:
        raise FidelityError(f"{name} must name at least one witness")
    return tuple(_witness(f"{name}[{i}]", one) for i, one in enumerate(rows))


def _witness(name: str, row: Any) -> Witness:
    hold_fields(name, row, ["strength", "source", "date"])
    if row["strength"] not in STRENGTHS:
        raise FidelityError(f"{name}: strength must be one of {', '.join(STRENGTHS)}")
    return Witness(row["strength"], str(row["source"]), _date(name, "date", row["date"]))


def _date(name: str, field: str, value: Any) -> str:
    text = str(value)
    if not DATE.fullmatch(text):
        raise FidelityError(f"{name}: {field} must be YYYY-MM-DD or YYYY-MM, got {value!r}")
    return text
