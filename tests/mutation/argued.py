"""Survivors that were read: mutants that make nothing wrong which a client could see, and why."""

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from tests.mutation.generated import Generated

FILE = Path(__file__).parent / "argued.yaml"
KINDS = {
    "same": "no client can see it: a shortcut, a cache, a bound that is never met",
    "as-good": "another server, as right as this one: other numbers that nobody has promised",
    "beyond": "seen only by what a client of the service cannot do: a restart, waiting for hours, "
    "the control API, an option of this server",
}


@dataclass(frozen=True)
class Aside:
    """A file whose mutants are not drawn, and why."""

    file: str
    kind: str
    why: str


@dataclass(frozen=True)
class Argued:
    """Why a mutant is no fault. `change` is what `Generated.changed` shows."""

    file: str
    change: str
    kind: str
    why: str


@cache
def told() -> dict[str, Any]:
    """The whole file."""
    return dict(yaml.safe_load(FILE.read_text("utf-8")))


def aside() -> dict[str, Aside]:
    """The files whose mutants are not drawn."""
    return {file: Aside(file, row["kind"], row["why"]) for file, row in told()["files"].items()}


@cache
def argued() -> dict[tuple[str, str], Argued]:
    """All of them by file and change; raises ValueError for a kind that is not known."""
    found = {}
    for file, rows in told()["changes"].items():
        for row in rows:
            one = Argued(file, row["change"], row["kind"], row["why"])
            if one.kind not in KINDS:
                raise ValueError(f"{FILE.name}: {file}: kind {one.kind!r}; there are {[*KINDS]}")
            found[file, one.change] = one
    return found


def argument(mutant: Generated) -> Argued | None:
    """Why it is no fault, if somebody has said so."""
    return argued().get((mutant.file, mutant.changed()))
