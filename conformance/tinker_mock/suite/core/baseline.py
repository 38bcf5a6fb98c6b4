"""Baselines: what is known to fail, and why. Four outcomes a check, two of them wrong.

A baseline is YAML: `{failing: {check: reason}, flaky: {check: reason}, causes: {cause: reason},
slow: reason}`.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

BAD = ("fail", "not-testable", "error")
LATE = "not-judged"
LISTS = ("failing", "flaky", "causes")


class BaselineError(ValueError):
    """A baseline file that breaks its form."""


@dataclass(frozen=True)
class Baseline:
    """Checks that may fail, each with a reason; flaky ones may also pass. Of `causes` any check may
    tell, as results name them. With a reason to be `slow` any check may be not judged."""

    failing: Mapping[str, str] = field(default_factory=dict)
    flaky: Mapping[str, str] = field(default_factory=dict)
    slow: str = ""
    causes: Mapping[str, str] = field(default_factory=dict)


@dataclass
class Judged:
    """A run held against a baseline."""

    unlisted: list[str] = field(default_factory=list)
    known: list[str] = field(default_factory=list)
    stale: list[str] = field(default_factory=list)
    unused: list[str] = field(default_factory=list)
    late: list[str] = field(default_factory=list)
    passed: int = 0

    @property
    def ok(self) -> bool:
        """Nothing fails that is not listed, nothing is listed that does not fail."""
        return not (self.unlisted or self.stale or self.unused)

    def mark(self, results: dict[str, Any]) -> None:
        """Note in the results what the baseline makes of them."""
        moved = set(self.stale) | set(self.unused)
        rows = {row["check"]: row["status"] for row in results["verdicts"]}
        late = all(rows[check] == LATE for check in self.unlisted)
        results["conformant"], results["known"] = self.ok, len(self.known)
        results["unfinished"] = bool(self.unlisted) and late and not moved

    def lines(self) -> Iterator[str]:
        """What to tell besides the findings."""
        if self.known:
            yield f"\n{len(self.known)} known failure(s) are in the baseline"
        if self.late:
            yield f"{len(self.late)} check(s) were not judged in time, as the baseline admits"
        for check in self.stale:
            yield f"stale: {check} is in the baseline and passes; remove it"
        for check in self.unused:
            yield f"unused: {check} is in the baseline and no check has that id"

    def unexpected(self, results: Mapping[str, Any]) -> dict[str, Any]:
        """The results without the known failures."""
        rows = [row for row in results["verdicts"] if row["check"] not in self.known]
        return {**results, "verdicts": rows}


def read_baseline(path: Path) -> Baseline:
    """Read a baseline; raises BaselineError naming what is wrong."""
    try:
        value = yaml.safe_load(path.read_text("utf-8")) or {}
    except (OSError, yaml.YAMLError) as error:
        raise BaselineError(f"{path}: {error}") from error
    if not isinstance(value, dict):
        raise BaselineError(f"{path}: must be a mapping, got {type(value).__name__}")
    for name in value:
        if name not in (*LISTS, "slow"):
            raise BaselineError(f"{path}: unknown key {name!r}; known: {', '.join(LISTS)}, slow")
    slow = value.get("slow", "")
    if not isinstance(slow, str) or ("slow" in value and not slow.strip()):
        raise BaselineError(f"{path}: slow must be a reason")
    lists: dict[str, dict[str, str]] = {}
    for name in LISTS:
        entries = value.get(name) or {}
        if not isinstance(entries, dict):
            raise BaselineError(f"{path}: {name} must map checks to reasons")
        for check, reason in entries.items():
            if not isinstance(reason, str) or not reason.strip():
                raise BaselineError(f"{path}: {check} needs a reason")
        lists[name] = entries
    return Baseline(lists["failing"], lists["flaky"], slow, lists["causes"])


def apply_baseline(
    results: Mapping[str, Any], baseline: Baseline, strict: bool = False, whole: bool = True
) -> Judged:
    """Sort every check into passed, known, unlisted or stale; `whole` is False for selections."""
    judged = Judged()
    bad = (*BAD, "warn") if strict else BAD
    seen = set()
    causes = causes_of(results, baseline)
    for row in results["verdicts"]:
        check = row["check"]
        seen.add(check)
        listed = check in baseline.failing
        if row["status"] == LATE:
            if baseline.slow:
                judged.late.append(check)
            elif row["level"] == "MUST" or strict:
                (judged.known if listed or check in baseline.flaky else judged.unlisted).append(
                    check
                )
        elif check in baseline.flaky:
            judged.known += [check] if row["status"] in bad else []
        elif row["status"] in bad:
            same = row.get("cause") in causes
            (judged.known if listed or same else judged.unlisted).append(check)
        elif listed and row["status"] == "pass":
            judged.stale.append(check)
        else:
            judged.passed += 1
    if whole:
        judged.unused = sorted((set(baseline.failing) | set(baseline.flaky)) - seen)
    return judged


def causes_of(results: Mapping[str, Any], baseline: Baseline) -> set[str]:
    """The causes of what is listed. One cause is told once, by one check now, another then."""
    listed = {*baseline.failing, *baseline.flaky}
    rows = [row for row in results["verdicts"] if row["check"] in listed]
    return {row["cause"] for row in rows if row.get("cause")} | set(baseline.causes)


def baseline_text(results: Mapping[str, Any], old: Baseline | None = None) -> str:
    """A baseline for these results; reasons of an older one are kept."""
    old = old or Baseline()
    failing = {
        row["check"]: old.failing.get(row["check"]) or row["message"] or row["status"]
        for row in results["verdicts"]
        if row["status"] in BAD and row["check"] not in old.flaky
    }
    head = f"# {results['target']['name']}, SDK {results['target'].get('sdk', 'all')}\n"
    value: dict[str, Any] = {"failing": failing}
    if old.flaky:
        value["flaky"] = dict(old.flaky)
    if old.causes:
        value["causes"] = dict(old.causes)
    if old.slow:
        value["slow"] = old.slow
    return head + yaml.safe_dump(value, sort_keys=False, width=96, allow_unicode=True)
