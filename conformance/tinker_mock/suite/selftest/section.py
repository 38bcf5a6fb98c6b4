"""The table of parts, what each is given and what it gives back."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tinker_mock.contracts.ledger import NEWEST, OLDEST, Requirement, SdkSpan
from tinker_mock.suite.core.verdict import Status, Verdict
from tinker_mock.suite.report.terminal import MARKS


@dataclass(frozen=True)
class Plan:
    """What all parts share."""

    seed: int
    report: Path
    mutants: str = "must"

    def mock_arguments(self, *more: str) -> list[str]:
        """Arguments of a mock for a part: short polls, this run's seed."""
        return ["--seed", str(self.seed), "--long-poll", "1", *more]


@dataclass
class Outcome:
    """What a part found; `broken` tells that the part itself could not run."""

    part: str
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
        return (
            f"{self.part:<18} {self.broken or marks or 'nothing to do':<34} {self.seconds:5.1f} s"
        )


@dataclass(frozen=True)
class Part:
    """A part: its name, about how long it takes, and how it is played."""

    name: str
    seconds: float
    play: Callable[[Plan], Outcome]


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


def _parts() -> dict[str, Part]:
    from tinker_mock.suite.selftest import clients, data, servers, subjects

    parts = (
        Part("server", 12, servers.server),
        Part("mutants", 60, servers.mutants),
        Part("behaviour", 15, servers.behaviour),
        Part("fuzz", 25, servers.fuzz),
        Part("reference-client", 40, clients.reference_client),
        Part("tinker-sdk", 41, clients.newest_sdk),
        Part("tokenizers", 5, subjects.tokenizers),
        Part("kimi", 6, subjects.kimi),
        Part("vectors", 8, data.vectors),
        Part("cassettes", 10, data.cassettes),
    )
    return {part.name: part for part in parts}


PARTS = _parts()
