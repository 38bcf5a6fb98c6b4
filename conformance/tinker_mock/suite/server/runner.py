"""Playing scenarios against a target and gathering one verdict per check."""

import threading
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from types import ModuleType

from tinker_mock.contracts.ledger import Requirement, requirement_of
from tinker_mock.suite.core.context import ScenarioContext
from tinker_mock.suite.core.deadline import fair
from tinker_mock.suite.core.http import Exchange, Routes
from tinker_mock.suite.core.results import Run
from tinker_mock.suite.core.selection import selects
from tinker_mock.suite.core.target import Target
from tinker_mock.suite.core.verdict import Inapplicable, OutOfTime, Status, Unmet, Verdict
from tinker_mock.suite.server.missing import blame_once
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
from tinker_mock.suite.server.stalls import judge_stalls
from tinker_mock.suite.server.wire_checks import judge_wire, wire_check

MODULES = (
    service, auth, tenants, borrowing, sessions, models, listings, training, losses, custom_losses,
    optimizer, between, lessons, dimuon, sampling, draws, rankings, stop_strings, chunks, futures,
    promise_effects, weights, checkpoint_effects, adapters, checkpoints, searches, runs, telemetry,
    billing, usage, errors, protobuf, protobuf_values, streaming, text, text_values, kimi, cases,
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
    run = Run(target)
    started = time.monotonic()
    lock = threading.Lock()

    left = {one.id for one in wanted if not one.patient}

    def play(scenario: Scenario) -> list[Verdict]:
        with lock:
            asked = fair(target, len(left), workers)
            left.discard(scenario.id)
        verdicts, exchanges = play_scenario(scenario, asked, routes, rules)
        with lock:
            run.exchanges += exchanges
            if progress:
                progress(scenario, verdicts)
        return verdicts

    patient = [one for one in wanted if one.patient]
    pool = ThreadPoolExecutor(max(1, len(patient)) + workers)
    try:
        waiting = {one.id: pool.submit(play, one) for one in patient}
        plain = [one for one in wanted if not one.patient and not one.last]
        waiting |= {one.id: pool.submit(play, one) for one in plain}
        found = {one.id: waiting[one.id].result() for one in wanted if not one.last}
        found |= {one.id: play(one) for one in wanted if one.last}
        run.verdicts += [verdict for one in wanted for verdict in found[one.id]]
    finally:  # nothing runs any more, unless somebody interrupts: then nobody waits for it
        pool.shutdown(wait=False, cancel_futures=True)
    blame_once(run.exchanges, run.verdicts)
    run.verdicts += judge_wire(run.exchanges, routes, rules, target)
    run.verdicts.append(judge_stalls(run.exchanges, run.verdicts, rules, target))
    run.verdicts = [verdict for verdict in run.verdicts if selects(patterns, verdict.check)]
    run.blame_suite = sorted({text for one in run.exchanges for text in one.blame_suite})
    run.duration = time.monotonic() - started
    return run


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
    why = "the scenario ended before this check"
    status = Status.ERROR
    try:
        scenario.play(context)
    except Unmet as unmet:
        why = f"a prerequisite failed: {unmet}; expected {unmet.expected}, got {unmet.actual}"
        status = Status.NOT_TESTABLE
    except Inapplicable as reason:
        status, why = Status.NOT_APPLICABLE, str(reason)
    except OutOfTime as over:
        status, why = Status.NOT_TESTABLE, str(over)
    except Exception as error:
        why = f"the suite failed: {type(error).__name__}: {error}"
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
            context.attach_trace(verdict, max(0, played - 4), played)
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
