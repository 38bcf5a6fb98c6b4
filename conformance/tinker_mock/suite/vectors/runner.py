"""Run parity-vector files: `{component, name, input, expected, source, …}` against our code.

What is run for a component, and which entries fit it, is in `catalogue`. The runner compares:
exactly, but for `tol` (absolute and relative) and the assertion keys of `comparison`.

When an entry has several expected columns (`expected_at_head` beside `expected`, or an
`expected` object keyed by implementation), the component says which one we follow by returning
`Chosen(column, actual, why)`, where column is "expected_at_head" or "expected.python_sdk"; the
choice is named in the result. `conflict` and `note` texts travel into the result of a failure.
A component that returns `Partial({...})` may know more fields than the vector.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from tinker_mock.suite.vectors.catalogue import Catalogue, catalogue
from tinker_mock.suite.vectors.comparison import Chosen, Component, difference

REQUIRED = ("component", "name", "input", "expected")


class VectorFileError(ValueError):
    """A vector file that is missing, not JSON, or not a list of entries."""


@dataclass
class Report:
    """What a run found. `total` counts every selected entry, `unfit` those that were not run."""

    total: int = 0
    passed: int = 0
    failed: list[dict[str, str]] = field(default_factory=list)
    unfit: list[dict[str, str]] = field(default_factory=list)
    choices: list[dict[str, str]] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        return not self.failed and not self.unfit

    def as_dict(self) -> dict[str, Any]:
        return dict(vars(self))


def load_vectors(path: Path) -> list[dict[str, Any]]:
    """The entries of one file (a JSON list, or an object with the list under "vectors")."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise VectorFileError(f"{path}: {error.strerror}") from error
    except ValueError as error:
        raise VectorFileError(f"{path}: not JSON: {error}") from error
    entries = content.get("vectors") if isinstance(content, dict) else content
    if not isinstance(entries, list):
        raise VectorFileError(f"{path}: expected a list of entries")
    for index, entry in enumerate(entries):
        missing = [key for key in REQUIRED if not isinstance(entry, dict) or key not in entry]
        if missing:
            raise VectorFileError(f"{path}: entry {index} lacks {', '.join(missing)}")
    return entries


def selected(entry: Mapping[str, Any], globs: Iterable[str]) -> bool:
    names = (entry["component"], f"{entry['component']}/{entry['name']}")
    globs = list(globs)
    return not globs or any(fnmatchcase(name, glob) for name in names for glob in globs)


def expected_column(entry: Mapping[str, Any], column: str) -> Any:
    """The value of a column: a top-level key, or `expected.KEY` for a column inside it."""
    if column in entry:
        return entry[column]
    outer, _, inner = column.partition(".")
    return entry[outer][inner]


def _judge(entry: Mapping[str, Any], component: Component, report: Report) -> str | None:
    try:
        actual = component(entry["input"], entry)
    except Exception as error:
        return f"raised {type(error).__name__}: {error}"
    column = "expected"
    if isinstance(actual, Chosen):
        column = actual.column
        choice = {"column": column, "why": actual.why}
        report.choices.append({**_identity(entry), **choice})
        actual = actual.actual
    try:
        expected = expected_column(entry, column)
    except (KeyError, TypeError):
        return f"the entry has no column {column}"
    return difference(expected, actual, float(entry.get("tol") or 0.0))


def _identity(entry: Mapping[str, Any]) -> dict[str, str]:
    return {"component": entry["component"], "name": entry["name"]}


def run_vectors(entries: Iterable[Mapping[str, Any]], known: Catalogue | None = None) -> Report:
    """Run entries in order; a component that raises fails its entry, never the run."""
    known = known or catalogue()
    report = Report()
    for entry in entries:
        report.total += 1
        if misfit := known.misfit(entry):
            place = {"pointer": misfit.pointer, "rule": misfit.rule, "message": misfit.message}
            report.unfit.append({**_identity(entry), **place})
            continue
        reason = _judge(entry, known.components[entry["component"]], report)
        if reason is None:
            report.passed += 1
            continue
        remarks = [f"{key}: {entry[key]}" for key in ("conflict", "note") if key in entry]
        report.failed.append(
            {**_identity(entry), "reason": " · ".join([reason, *remarks])},
        )
    return report
