"""Surfaces of many releases folded into one history: when each name came, changed and went."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from tinker_mock.contracts.history.surface import Surface
from tinker_mock.contracts.locations import CONTRACTS
from tinker_mock.contracts.versions import SdkRange, parse_release

HISTORY = CONTRACTS / "tinker" / "history.yaml"
GONE = "gone"
SECTIONS = ("operation", "field", "value", "message")
HEADING = """\
# What each published SDK release can say: `make history` generates this from the wheels.
# A name, and from which release on (by minor) it has which form; `gone` is the first without it.
"""


@dataclass(frozen=True)
class History:
    """Releases, oldest first, and for every name its `(release, form)` changes."""

    releases: tuple[str, ...]
    changes: Mapping[str, tuple[tuple[str, str], ...]]

    def names(self, section: str) -> Iterator[str]:
        """Names of a section, without its word."""
        for name in self.changes:
            kind, _, rest = name.partition(" ")
            if kind == section:
                yield rest

    def sdk(self, name: str) -> SdkRange:
        """From the first release that has the name to the last that does."""
        changes = self.changes[name]
        since, (last, form) = changes[0][0], changes[-1]
        return SdkRange(since, self._before(last) if form == GONE else None)

    def at_the_end(self, name: str) -> str:
        """The last form the name had."""
        return next(form for _, form in reversed(self.changes[name]) if form != GONE)

    def surface(self, release: str) -> Surface:
        """What a release in the history could say, as it was folded in."""
        known = {}
        for name, changes in self.changes.items():
            forms = [form for since, form in changes if not _later(since, release)]
            if forms and forms[-1] != GONE:
                known[name] = forms[-1]
        return known

    def _before(self, minor_name: str) -> str:
        earlier = [r for r in self.releases if parse_release(r) < parse_release(minor_name)]
        return minor(earlier[-1])


def minor(release: str) -> str:
    return ".".join(map(str, parse_release(release)))


def _later(one: str, other: str) -> bool:
    return parse_release(one) > parse_release(other)


def fold(surfaces: Iterable[tuple[str, Surface]]) -> History:
    """Fold surfaces, given oldest first."""
    ordered = list(surfaces)
    changes: dict[str, list[tuple[str, str]]] = {}
    for release, surface in ordered:
        for name, form in surface.items():
            past = changes.setdefault(name, [])
            if not past or past[-1][1] != form:
                past.append((minor(release), form))
        for name in changes.keys() - surface.keys():
            if changes[name][-1][1] != GONE:
                changes[name].append((minor(release), GONE))
    kept = {name: tuple(past) for name, past in sorted(changes.items())}
    return History(tuple(release for release, _ in ordered), kept)


def differences(before: Surface, after: Surface) -> list[str]:
    """One line for every name that came, went or changed: what `make drift` prints."""
    lines = []
    for name in sorted(before.keys() | after.keys()):
        old, new = before.get(name), after.get(name)
        if old is None:
            lines.append(f"+ {name}  {new}".rstrip())
        elif new is None:
            lines.append(f"- {name}  {old}".rstrip())
        elif old != new:
            lines.append(f"~ {name}  {old}  →  {new}")
    return lines


def write_history(history: History, path: Path = HISTORY) -> None:
    """Write the YAML; the same history gives the same bytes."""
    lines = [HEADING.rstrip(), f"releases: [{', '.join(history.releases)}]"]
    for section in SECTIONS:
        lines.append(f"{section}s:")
        for name in history.names(section):
            changes = history.changes[f"{section} {name}"]
            text = " ; ".join(f"{since} {form}".strip() for since, form in changes)
            lines.append(f"  {_quoted(name)}: {_quoted(text)}")
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


@cache
def load_history(path: Path = HISTORY) -> History:
    """Read the YAML back."""
    import yaml

    document: dict[str, Any] = yaml.load(
        path.read_text(encoding="utf-8"), getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    )
    changes = {}
    for section in SECTIONS:
        for name, text in document[f"{section}s"].items():
            parts = (change.partition(" ") for change in text.split(" ; "))
            changes[f"{section} {name}"] = tuple((since, form) for since, _, form in parts)
    return History(tuple(map(str, document["releases"])), changes)
