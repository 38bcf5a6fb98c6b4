"""Faults of behaviour: the server's own code changed in a line or two, as a mistake would.

Each is aimed at a rule of the ledger and was thought of from the rule, not from the checks that
prove it: what a server does wrong when it gets that rule wrong.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from tinker_mock.server.mutants.grafting import Edit
from tinker_mock.server.mutants.mutant import MutantError

KEYS = ("rule", "says", "file", "find", "put", "also")


@dataclass(frozen=True)
class Fault:
    """`rule` is the ledger row it is aimed at, `says` what the server does wrong."""

    name: str
    rule: str
    says: str
    edits: tuple[Edit, ...]

    @classmethod
    def parse(cls, name: str, row: Mapping[str, Any]) -> "Fault":
        """Read one row; raises MutantError naming what is wrong with it."""
        for key in row:
            if key not in KEYS:
                raise MutantError(f"fault {name}: unknown key {key!r}; known: {', '.join(KEYS)}")
        try:
            rows = [row, *row.get("also", ())]
            edits = tuple(Edit(one["file"], one["find"], one["put"]) for one in rows)
            return cls(name, row["rule"], row["says"], edits)
        except KeyError as missing:
            raise MutantError(f"fault {name}: {missing.args[0]} is missing") from missing


@cache
def load_faults() -> dict[str, Fault]:
    """Every fault by its name; raises MutantError."""
    import yaml

    found: dict[str, Fault] = {}
    folder = files("tinker_mock.server.mutants") / "planted"
    for file in sorted(folder.iterdir(), key=lambda one: one.name):
        if not file.name.endswith(".yaml"):
            continue
        for name, row in (yaml.safe_load(file.read_text("utf-8")) or {}).items():
            if name in found or "/" in name:
                raise MutantError(f"fault {name}: given twice, or named like a check")
            found[name] = Fault.parse(name, row)
    return found
