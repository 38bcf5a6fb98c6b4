"""Proof that checks cover their rules: faults planted in the code of a mock, one after the other.

A fault is aimed at a rule of the ledger. It is killed when one of the checks that prove this rule
does not pass, after they all passed on the healthy mock.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace

from tinker_mock.contracts.ledger import Requirement, load_ledger, requirement_of
from tinker_mock.suite.core.http import Routes
from tinker_mock.suite.core.target import Target
from tinker_mock.suite.core.verdict import Status, Verdict
from tinker_mock.suite.server.kill_matrix import NOT_OK, MutantSwitch, judge
from tinker_mock.suite.server.runner import load_scenarios
from tinker_mock.suite.server.scenario import Scenario


@dataclass
class FaultKill:
    """What happened to one fault. `by` are the checks of its rule that noticed it."""

    name: str
    rule: Requirement
    says: str
    by: list[str] = field(default_factory=list)
    others: list[str] = field(default_factory=list)
    problem: str = ""
    """Why it does not count: it could not be planted, or its checks fail on a healthy mock."""

    @property
    def killed(self) -> bool:
        """Whether its rule's checks noticed it."""
        return bool(self.by) and not self.problem


Progress = Callable[[FaultKill], None]

PATIENCE = 45.0
"""Seconds that a healthy mock may take: its first request builds what later ones find made."""


def fault_matrix(
    target: Target,
    faults: Iterable[tuple[str, str, str]],
    progress: Progress | None = None,
) -> list[FaultKill]:
    """Play the scenarios of each fault's rule; `faults` are (name, rule, what it does wrong).

    The server must be a mock with /_mock. Raises KeyError for a rule that the ledger lacks.
    """
    rules, checks, routes = load_ledger(), requirement_of(), Routes("tinker", "inference")
    scenarios = load_scenarios()
    switch = MutantSwitch(target.url)
    healthy: dict[str, list[Verdict]] = {}
    kills = []

    patient = replace(target, long_poll=PATIENCE, timeout=PATIENCE)

    def played(rule: Requirement, asked: Target) -> list[Verdict]:
        return judge(proving(rule, scenarios), asked, routes, checks)

    try:
        for name, rule_id, says in faults:
            kill = FaultKill(name, rules[rule_id], says)
            if rule_id not in healthy:
                switch.set(None)
                healthy[rule_id] = played(kill.rule, patient)
            ill = noticed(healthy[rule_id], kill.rule)
            if ill:
                kill.problem = f"the healthy mock fails {', '.join(ill)}"
                kill.others = [one.message for one in healthy[rule_id] if one.check in ill]
            elif not switch.set(name):
                kill.problem = "it cannot be planted"
            else:
                note(kill, played(kill.rule, target))
            kills.append(kill)
            if progress:
                progress(kill)
    finally:
        switch.close()
    return kills


def proving(rule: Requirement, scenarios: Mapping[str, Scenario]) -> list[Scenario]:
    """The scenarios that make a rule's checks."""
    return [one for one in scenarios.values() if set(one.checks) & set(rule.checks)]


def noticed(verdicts: Iterable[Verdict], rule: Requirement) -> list[str]:
    """A rule's checks that did not pass; what does not apply notices nothing."""
    own = set(rule.checks)
    bad = [*NOT_OK]
    return [verdict.check for verdict in verdicts if verdict.check in own and verdict.status in bad]


def note(kill: FaultKill, verdicts: list[Verdict]) -> None:
    """Who noticed it. An error of the suite is nobody's notice."""
    for verdict in verdicts:
        if verdict.status in NOT_OK and verdict.status is not Status.ERROR:
            own = verdict.check in kill.rule.checks
            (kill.by if own else kill.others).append(verdict.check)
