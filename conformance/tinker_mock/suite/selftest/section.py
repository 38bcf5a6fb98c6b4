"""A section of `conformance self`: what it is given and what it gives back."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tinker_mock.contracts.ledger import NEWEST, OLDEST, Requirement, SdkSpan
from tinker_mock.suite.core.verdict import Status, Verdict
from tinker_mock.suite.report.terminal import MARKS


@dataclass(frozen=True)
class Options:
    """What all sections share."""

    seed: int
    report: Path
    mutants: str = "must"

    def mock_arguments(self, *more: str) -> list[str]:
        """Arguments of a mock for a section: short polls, this run's seed."""
        told = ["--seed", str(self.seed), "--long-poll", "1"]
        return [*told, *more]


@dataclass
class SectionResult:
    """What a section found; `broken` tells that the section itself could not run."""

    section: str
    verdicts: list[Verdict] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    coverage: dict[str, Any] = field(default_factory=dict)
    curves: dict[str, list[float]] = field(default_factory=dict)
    broken: str = ""
    seconds: float = 0.0

    def line(self) -> str:
        """One line for people."""
        counted = Counter(verdict.status.value for verdict in self.verdicts)
        marks = "  ".join(f"{MARKS[name]} {counted[name]}" for name in MARKS if counted[name])
        found = self.broken or marks or "nothing to do"
        return f"{self.section:<18} {found:<34} {self.seconds:5.1f} s"


@dataclass(frozen=True)
class Section:
    """Its name, about how long it takes, and how it is played."""

    name: str
    seconds: float
    play: Callable[[Options], SectionResult]


def rule(name: str, text: str, level: str = "MUST") -> Requirement:
    """A rule of this project itself, which no ledger row is about."""
    span = SdkSpan(OLDEST[1], NEWEST[1])
    return Requirement(name, "self", level, text, span, "inferred: a promise of this project")


def judged(name: str, text: str, problem: str, actual: str = "") -> Verdict:
    """A verdict on one of this project's own promises: passed if there is no problem."""
    verdict = Verdict(name, rule(name, text), Status.PASS, scenario="self")
    if problem:
        verdict.status, verdict.message, verdict.actual = Status.FAIL, problem, actual
    return verdict
