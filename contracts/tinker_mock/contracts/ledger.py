"""The requirement ledger: one row per rule of the wire that a schema cannot say.

Rows live in `requirements/<chapter>.yaml`. A row is `{id, level, text, sdk, source}`. The check of
the same id proves it; other proof is named by `checks` (ids), the lack of it by `unproved` (why).
See `requirements/README.md`.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import yaml

from tinker_mock.contracts.locations import CONTRACTS

LEVELS = ("MUST", "SHOULD", "MAY")
CHAPTERS = (
    "service",
    "auth",
    "sessions",
    "models",
    "training",
    "sampling",
    "futures",
    "weights",
    "checkpoints",
    "runs",
    "telemetry",
    "billing",
    "errors",
    "protobuf",
    "streaming",
    "text",
    "tokenizer",
    "kimi",
    "client",
)
SOURCE = re.compile(
    r"sdk-code \d+\.\d+\.\d+ \S+:\d+|sdk-docs \S.*|recorded \d{4}-\d\d-\d\d.*"
    r"|peer \S+#\d+.*|upstream \S.*|inferred\b.*"
    r"|(docs|cookbook|tracker|reported) \S.* \d{4}-\d\d(-\d\d)?"
)
WEAK = ("inferred", "reported")
"""Sources that a rule which MUST hold cannot stand on."""
NEWEST = (0, 38, 0)
OLDEST = (0, 7, 0)


class LedgerError(ValueError):
    """A row breaks a rule of the ledger; the message names row, field and rule."""


@dataclass(frozen=True, order=True)
class SdkSpan:
    """SDK releases from `first` to `last`, both included, as minor versions of 0.x."""

    first: int
    last: int

    @classmethod
    def parse(cls, text: str) -> "SdkSpan":
        """Read `0.18+`, `0.7-0.24`, `0.25` or `all`; raises LedgerError otherwise."""
        if text == "all":
            return cls(OLDEST[1], NEWEST[1])
        match = re.fullmatch(r"0\.(\d+)(?:\.\d+)?(\+|-0\.(\d+)(?:\.\d+)?)?", text)
        if not match:
            raise LedgerError(f"sdk range {text!r}: use 0.18+, 0.7-0.24, 0.25 or all")
        first = int(match[1])
        last = NEWEST[1] if match[2] == "+" else int(match[3] or first)
        if last < first:
            raise LedgerError(f"sdk range {text!r}: ends before it begins")
        return cls(first, last)

    def meets(self, other: "SdkSpan") -> bool:
        """Whether the two spans share a release."""
        return self.first <= other.last and other.first <= self.last

    def __contains__(self, minor: object) -> bool:
        return isinstance(minor, int) and self.first <= minor <= self.last

    def __str__(self) -> str:
        if self.last == NEWEST[1]:
            return "all" if self.first == OLDEST[1] else f"0.{self.first}+"
        return f"0.{self.first}" if self.first == self.last else f"0.{self.first}-0.{self.last}"


@dataclass(frozen=True)
class Requirement:
    """One rule: what must hold, for which releases, and how we know."""

    id: str
    chapter: str
    level: str
    text: str
    sdk: SdkSpan
    source: str
    checks: tuple[str, ...] = ()
    unproved: str | None = None


def parse_row(row: Mapping[str, Any], chapter: str) -> Requirement:
    """Turn one YAML row into a Requirement; raises LedgerError on a broken rule."""
    name = str(row.get("id", "?"))
    unknown = set(row) - {"id", "level", "text", "sdk", "source", "checks", "unproved"}
    if unknown:
        raise LedgerError(f"{name}: unknown field {sorted(unknown)[0]!r}")
    if row.get("level") not in LEVELS:
        raise LedgerError(f"{name}: level must be one of {', '.join(LEVELS)}")
    if not SOURCE.fullmatch(str(row.get("source", ""))):
        raise LedgerError(f"{name}: source {row.get('source')!r} has no known form")
    if row["level"] == "MUST" and str(row["source"]).startswith(WEAK):
        raise LedgerError(f"{name}: an inferred or reported rule is never a MUST")
    checks = row.get("checks", () if row.get("unproved") else (name,))
    if bool(checks) == bool(row.get("unproved")):
        raise LedgerError(f"{name}: name either checks or the reason why it is unproved")
    return Requirement(
        id=name,
        chapter=chapter,
        level=row["level"],
        text=" ".join(str(row["text"]).split()),
        sdk=SdkSpan.parse(str(row.get("sdk", "all"))),
        source=row["source"],
        checks=tuple(checks or ()),
        unproved=row.get("unproved"),
    )


def _rows() -> Iterator[Requirement]:
    folder = CONTRACTS / "requirements"
    for chapter in CHAPTERS:
        file = folder / f"{chapter}.yaml"
        if file.is_file():
            for row in yaml.safe_load(file.read_text("utf-8")) or ():
                yield parse_row(row, chapter)


def frozen_rules(release: str) -> frozenset[str]:
    """The requirement ids that were frozen for an SDK release; LedgerError if none were.

    A target that passed once is not failed by rules that the suite learnt later.
    """
    file = CONTRACTS / "requirements" / "frozen" / f"{release}.txt"
    if not file.is_file():
        folder = CONTRACTS / "requirements" / "frozen"
        known = ", ".join(sorted(one.name.removesuffix(".txt") for one in folder.iterdir()))
        raise LedgerError(f"no frozen requirements for {release!r}; there are {known}")
    return frozenset(file.read_text("utf-8").split())


@cache
def load_ledger() -> dict[str, Requirement]:
    """Every requirement by id, in chapter order; raises LedgerError on duplicates."""
    ledger: dict[str, Requirement] = {}
    owner: dict[str, str] = {}
    for requirement in _rows():
        if requirement.id in ledger:
            raise LedgerError(f"{requirement.id}: used twice")
        for check in requirement.checks:
            if check in owner:
                raise LedgerError(f"{check}: proves both {owner[check]} and {requirement.id}")
            owner[check] = requirement.id
        ledger[requirement.id] = requirement
    return ledger


@cache
def requirement_of() -> Mapping[str, Requirement]:
    """The requirement that each check proves, in the ledger's order."""
    return {check: rule for rule in load_ledger().values() for check in rule.checks}
