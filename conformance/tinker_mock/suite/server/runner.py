"""Playing scenarios against a target and gathering one verdict per check."""

import threading
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cache
from types import ModuleType

from tinker_mock.contracts.ledger import Requirement, requirement_of
from tinker_mock.suite.core.context import ScenarioContext
from tinker_mock.suite.core.deadline import fair, unhurried
from tinker_mock.suite.core.http import Exchange, Routes
from tinker_mock.suite.core.results import Run
from tinker_mock.suite.core.selection import selects
from tinker_mock.suite.core.target import Target
from tinker_mock.suite.core.verdict import (
    Inapplicable,
    Lacking,
    OutOfTime,
    Status,
    Unmet,
    Verdict,
)
from tinker_mock.suite.server.causes import blame_once
from tinker_mock.suite.server.scenario import Scenario
from tinker_mock.suite.server.scenarios import (
    adapters,
    auth,
    between,
    billing,
    borrowing,
    cases,
    checkpoint_effects,
    checkpoints,
    choices,
    chunks,
    custom_losses,
    dimuon,
    draws,
    errors,
    futures,
    kimi,
    lessons,
    listings,
    losses,
    models,
    neighbours,
    optimizer,
    promise_effects,
    protobuf,
    protobuf_values,
    rankings,
    runs,
    sampling,
    searches,
    service,
    sessions,
    stop_strings,
    streaming,
    telemetry,
    tenants,
    text,
    text_values,
    training,
    usage,
    weights,
)
from tinker_mock.suite.server.stalls import judge_holds, judge_stalls
from tinker_mock.suite.server.wire_checks import judge_wire, wire_check

MODULES = (
    service, auth, tenants, borrowing, sessions, models, listings, training, losses, custom_losses,
    optimizer, between, lessons, dimuon, sampling, draws, rankings, stop_strings, chunks, futures,
    promise_effects, weights, checkpoint_effects, adapters, checkpoints, neighbours, searches, runs,
    telemetry, billing, usage, errors, protobuf, protobuf_values, streaming, text, text_values,
    choices, kimi, cases,
)  # fmt: skip
"""In the ledger's order of chapters, the cases from YAML last."""
OTHER = "for other SDK releases, or newer than the frozen requirements"
Progress = Callable[[Scenario, list[Verdict]], None]


@cache
def load_scenarios() -> dict[str, Scenario]:
    """Every scenario by id, in chapter order; raises ValueError for an id or a check used twice."""
    found: dict[str, Scenario] = {}
    made_by: dict[str, str] = {}
    for scenario in (one for module in MODULES for one in scenarios_of(module)):
        if scenario.id in found:
            raise ValueError(f"scenario {scenario.id} exists already")
        found[scenario.id] = scenario
        for check in scenario.checks:
            other = made_by.setdefault(check, scenario.id)
            if other != scenario.id:
                raise ValueError(f"both {other} and {scenario.id} make the check {check}")
    return found


def scenarios_of(module: ModuleType) -> Iterable[Scenario]:
    """The scenarios of one module: its functions, or its table."""
    return getattr(module, "SCENARIOS", None) or [
        value for value in vars(module).values() if isinstance(value, Scenario)
    ]


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
    wanted = [
        one for one in load_scenarios().values() if any(selects(patterns, c) for c in one.checks)
    ]
    wire_wanted = any(selects(patterns, wire_check(op)) for op in routes.operations.values())
    if wire_wanted and not wanted:
        wanted = list(load_scenarios().values())
    started = time.monotonic()
    playing = Playing(Run(target), routes, rules, progress, workers)
    found = playing.all_of(wanted)
    run = playing.run
    run.verdicts += [verdict for one in wanted for verdict in found[one.id]]
    judge_holds(run.exchanges, run.verdicts, target)
    run.verdicts += judge_wire(run.exchanges, routes, rules, target)
    blame_once(run.exchanges, run.verdicts, routes.operations)
    run.verdicts.append(judge_stalls(run.exchanges, run.verdicts, rules, target))
    run.verdicts = [verdict for verdict in run.verdicts if selects(patterns, verdict.check)]
    run.blame_suite = sorted({text for one in run.exchanges for text in one.blame_suite})
    run.duration = time.monotonic() - started
    return run


@dataclass
class Playing:
    """Who plays when: some at a time, the patient ones beside them, the heavy ones at the end.

    What had not enough time is played once more before those, with the time that is left.
    """

    run: Run
    routes: Routes
    rules: Mapping[str, Requirement]
    progress: Progress | None
    workers: int
    lock: threading.Lock = field(default_factory=threading.Lock)
    left: set[str] = field(default_factory=set)

    def all_of(self, wanted: list[Scenario]) -> dict[str, list[Verdict]]:
        """The verdicts of each scenario."""
        target = self.run.target
        self.left = {one.id for one in wanted if not one.patient}
        patient = [one for one in wanted if one.patient]
        plain = [one for one in wanted if not one.patient and not one.last]
        aside = ThreadPoolExecutor(max(1, len(patient)))
        pool = ThreadPoolExecutor(self.workers)
        try:
            waiting = {one.id: aside.submit(self.play, one, target) for one in patient}
            waiting |= {one.id: pool.submit(self.play, one, target) for one in plain}
            found = {name: future.result() for name, future in waiting.items()}
            late = [one for one in plain + patient if any(map(is_late, found[one.id]))]
            self.left |= {one.id for one in late}
            again = {one.id: pool.submit(self.play, one, unhurried(target)) for one in late}
            for name, future in again.items():
                found[name] = completed(found[name], future.result())
            return found | {one.id: self.play(one, target) for one in wanted if one.last}
        finally:  # nothing runs any more, unless somebody interrupts: then nobody waits for it
            for each in (aside, pool):
                each.shutdown(wait=False, cancel_futures=True)

    def play(self, scenario: Scenario, target: Target) -> list[Verdict]:
        """One scenario, in its part of the time."""
        with self.lock:
            asked = fair(target, len(self.left), self.workers)
            self.left.discard(scenario.id)
        verdicts, exchanges = play_scenario(scenario, asked, self.routes, self.rules)
        with self.lock:
            self.run.exchanges += exchanges
            if self.progress:
                self.progress(scenario, verdicts)
        return verdicts


def is_late(verdict: Verdict) -> bool:
    """Whether there was no time for it."""
    return verdict.status is Status.NOT_JUDGED


def completed(first: list[Verdict], second: list[Verdict]) -> list[Verdict]:
    """What was judged the first time, and the rest as it was judged the second time."""
    pairs = zip(first, second, strict=True)
    return [new if is_late(old) else old for old, new in pairs]


def play_scenario(
    scenario: Scenario, target: Target, routes: Routes, rules: Mapping[str, Requirement]
) -> tuple[list[Verdict], list[Exchange]]:
    """One scenario's verdicts in its declared order, and its exchanges."""
    checks = {name: rules[name] for name in scenario.checks}
    applicable = {name for name, rule in checks.items() if target.applies(rule)}
    blocked = target.read_only and not scenario.reads_only
    if not applicable or blocked:
        reason = "writes, and the run is read-only" if blocked else OTHER
        return [idle(name, checks[name], scenario, reason) for name in scenario.checks], []
    context = ScenarioContext(target, routes, checks, scenario.id)
    cause = ended_at = ""
    why = "the scenario ended before this check"
    status = Status.ERROR
    try:
        scenario.play(context)
    except Unmet as unmet:
        why = f"a prerequisite failed: {unmet}; expected {unmet.expected}, got {unmet.actual}"
        status = Status.NOT_TESTABLE
        cause = f"{scenario.id}: {unmet}"
        if isinstance(unmet, Lacking):
            cause, ended_at = unmet.cause or cause, unmet.operation
    except Inapplicable as reason:
        status, why = Status.NOT_APPLICABLE, str(reason)
    except OutOfTime as over:
        status, why = Status.NOT_JUDGED, str(over)
    except Exception as error:
        why = f"the suite failed: {type(error).__name__}: {error}"
        if missed := context.over():  # what earlier checks had no time for is missing now
            status, why = Status.NOT_JUDGED, missed
    finally:
        played = len(context.client.exchanges)
        context.finish()
    verdicts = []
    for name in scenario.checks:
        verdict = context.verdicts.get(name)
        if name not in applicable:
            verdict = idle(name, checks[name], scenario, OTHER)
        elif verdict is None:
            verdict = missing(name, checks[name], scenario, status, why)
            verdict.cause = cause
            context.attach_trace(verdict, max(0, played - 4), played)
            verdict.ended_at = ended_at or verdict.ended_at
        verdicts.append(verdict)
    return verdicts, context.client.exchanges


def idle(name: str, rule: Requirement, scenario: Scenario, reason: str) -> Verdict:
    """A verdict for a check that does not apply."""
    return Verdict(name, rule, Status.NOT_APPLICABLE, reason, scenario=scenario.id)


def missing(name: str, rule: Requirement, scenario: Scenario, status: Status, why: str) -> Verdict:
    """A verdict for a check that could not be made; a SHOULD that cannot be tested only warns."""
    if status is Status.NOT_TESTABLE and rule.level != "MUST":
        status = Status.WARN
        why = f"not testable: {why}"
    return Verdict(name, rule, status, why, scenario=scenario.id)
