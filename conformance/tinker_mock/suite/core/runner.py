"""Playing scenarios against a target and gathering one verdict per check."""

import threading
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from tinker_mock.contracts.ledger import Requirement, load_ledger
from tinker_mock.suite.core.context import Stage
from tinker_mock.suite.core.http import Routes, Sent
from tinker_mock.suite.core.scenario import Scenario, load_scenarios
from tinker_mock.suite.core.selection import selects
from tinker_mock.suite.core.target import Target
from tinker_mock.suite.core.verdict import Inapplicable, Status, Unmet, Verdict
from tinker_mock.suite.core.wire_checks import judge_wire, wire_check

OTHER = "for other SDK releases, or newer than the frozen requirements"
Progress = Callable[[Scenario, list[Verdict]], None]


@dataclass
class Run:
    """Everything a run found out."""

    target: Target
    verdicts: list[Verdict] = field(default_factory=list)
    sent: list[Sent] = field(default_factory=list)
    blame_suite: list[str] = field(default_factory=list)
    duration: float = 0.0

    @property
    def bad(self) -> list[Verdict]:
        """The verdicts that make the target non-conformant."""
        return [verdict for verdict in self.verdicts if verdict.status.bad]


def requirement_of() -> dict[str, Requirement]:
    """The requirement that each check proves."""
    return {check: rule for rule in load_ledger().values() for check in rule.checks}


def server_scenarios() -> list[Scenario]:
    """Every scenario for server targets, in chapter order."""
    return list(load_scenarios().values())


def run_server_suite(
    target: Target,
    select: Iterable[str] = (),
    progress: Progress | None = None,
    workers: int = 2,
) -> Run:
    """Play every selected scenario against a server; never raises for the target's faults."""
    routes = Routes("tinker", "inference")
    rules = requirement_of()
    patterns = tuple(select)
    wanted = [one for one in server_scenarios() if any(selects(patterns, c) for c in one.checks)]
    wire_wanted = any(selects(patterns, wire_check(op)) for op in routes.operations.values())
    if wire_wanted and not wanted:
        wanted = server_scenarios()
    run = Run(target)
    started = time.monotonic()
    lock = threading.Lock()

    def play(story: Scenario) -> list[Verdict]:
        verdicts, sent = play_scenario(story, target, routes, rules)
        with lock:
            run.sent += sent
            if progress:
                progress(story, verdicts)
        return verdicts

    patient = [one for one in wanted if one.patient]
    with ThreadPoolExecutor(max(1, len(patient)) + workers) as pool:
        waiting = {one.id: pool.submit(play, one) for one in patient}
        waiting |= {one.id: pool.submit(play, one) for one in wanted if not one.patient}
        for one in wanted:
            run.verdicts += waiting[one.id].result()
    run.verdicts += judge_wire(run.sent, routes, rules, target)
    run.verdicts = [verdict for verdict in run.verdicts if selects(patterns, verdict.check)]
    run.blame_suite = sorted({text for one in run.sent for text in one.blame_suite})
    run.duration = time.monotonic() - started
    return run


def play_scenario(
    story: Scenario, target: Target, routes: Routes, rules: dict[str, Requirement]
) -> tuple[list[Verdict], list[Sent]]:
    """One scenario's verdicts in its declared order, and its exchanges."""
    checks = {name: rules[name] for name in story.checks}
    applicable = {name for name, rule in checks.items() if target.applies(rule)}
    blocked = target.read_only and not story.reads_only
    if not applicable or blocked:
        reason = "writes, and the run is read-only" if blocked else OTHER
        return [idle(name, checks[name], story, reason) for name in story.checks], []
    stage = Stage(target, routes, checks, story.id)
    why = "the scenario ended before this check"
    status = Status.ERROR
    try:
        story.play(stage)
    except Unmet as unmet:
        why = f"a prerequisite failed: {unmet}; expected {unmet.expected}, got {unmet.actual}"
        status = Status.NOT_TESTABLE
    except Inapplicable as reason:
        status, why = Status.NOT_APPLICABLE, str(reason)
    except Exception as error:
        why = f"the suite failed: {type(error).__name__}: {error}"
    finally:
        played = len(stage.hands.sent)
        stage.finish()
    verdicts = []
    for name in story.checks:
        verdict = stage.verdicts.get(name)
        if name not in applicable:
            verdict = idle(name, checks[name], story, OTHER)
        elif verdict is None:
            verdict = missing(name, checks[name], story, status, why)
            stage._attach_trace(verdict, max(0, played - 4), played)
        verdicts.append(verdict)
    return verdicts, stage.hands.sent


def idle(name: str, rule: Requirement, story: Scenario, reason: str) -> Verdict:
    """A verdict for a check that does not apply."""
    return Verdict(name, rule, Status.NOT_APPLICABLE, reason, scenario=story.id)


def missing(name: str, rule: Requirement, story: Scenario, status: Status, why: str) -> Verdict:
    """A verdict for a check that could not be made; a SHOULD that cannot be tested only warns."""
    if status is Status.NOT_TESTABLE and rule.level != "MUST":
        status = Status.WARN
        why = f"not testable: {why}"
    return Verdict(name, rule, status, why, scenario=story.id)
