"""What is known of the service, fact by fact: who says so, what became of it, what proves it.

The rows are `fidelity/facts.yaml`: section -> number -> fact.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import yaml

from tinker_mock.contracts.fidelity import (
    FidelityError,
    Witness,
    hold_fields,
    load_differences,
    load_quirks,
    read_witnesses,
    rows_file,
)

SETTLED = {
    "agrees": "the mock does the same by default",
    "quirk": "so with the quirk of that name; the default follows the better witness",
    "difference": "the mock differs on purpose, as the row of that name says",
    "unseen": "no client can see it here, for the reason given",
}
"""What became of a fact."""
ROWS: Mapping[str, Callable[[], Mapping[str, object]]] = {
    "quirk": load_quirks,
    "difference": load_differences,
}
WANTED = ("fact", "witnesses", "settled")
OPTIONAL = ("why", "proof")


@dataclass(frozen=True)
class Fact:
    """One thing that the service does."""

    number: int
    section: str
    fact: str
    witnesses: tuple[Witness, ...]
    settled: str
    """A word of `SETTLED`."""
    row: str = ""
    """The quirk or difference."""
    why: str = ""
    tests: tuple[str, ...] = ()
    """`tests/file.py::test_name`, each of which asserts what the fact says."""
    rules: tuple[str, ...] = ()
    """Ids of the requirement ledger."""


@cache
def load_facts() -> Mapping[int, Fact]:
    """Every fact by its number, section by section; raises FidelityError."""
    return read_facts(rows_file("facts"))


def read_facts(text: str) -> dict[int, Fact]:
    """Facts from YAML; raises FidelityError."""
    facts: dict[int, Fact] = {}
    document = yaml.safe_load(text)
    if not isinstance(document, dict):
        raise FidelityError("a mapping of sections is wanted")
    for section, rows in document.items():
        if not isinstance(rows, dict):
            raise FidelityError(f"{section}: must be a mapping of numbers to facts")
        for number, row in rows.items():
            if not str(number).isdigit() or int(number) in facts:
                raise FidelityError(f"{section}: {number!r} must be a number of its own")
            facts[int(number)] = _fact(int(number), str(section), row)
    return facts


def _fact(number: int, section: str, row: Any) -> Fact:
    name = f"fact {number}"
    hold_fields(name, row, WANTED, OPTIONAL)
    settled, _, other = str(row["settled"]).partition(" ")
    if settled not in SETTLED or bool(other) != (settled in ROWS):
        forms = "agrees, unseen, quirk NAME or difference NAME"
        raise FidelityError(f"{name}: settled must be {forms}")
    if other and other not in ROWS[settled]():
        raise FidelityError(f"{name}: there is no {settled} {other!r}")
    why = " ".join(str(row.get("why", "")).split())
    if settled == "unseen" and not why:
        raise FidelityError(f"{name}: why no client can see it must be said")
    proof = [str(one) for one in row.get("proof", [])]
    tests = tuple(one for one in proof if "::" in one)
    if settled != "unseen" and not tests:
        raise FidelityError(f"{name}: proof must name a test")
    return Fact(
        number=number,
        section=section,
        fact=" ".join(str(row["fact"]).split()),
        witnesses=read_witnesses(f"{name}: witnesses", row["witnesses"]),
        settled=settled,
        row=other,
        why=why,
        tests=tests,
        rules=tuple(one for one in proof if "::" not in one),
    )
