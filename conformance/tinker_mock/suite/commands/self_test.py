"""`conformance self`: judge this project by its own suite. `make conformance` runs it.

Everything runs against a mock in its own process: the server suite, the kill matrix, the client
audits, the tokenizer and Kimi chapters, behaviour runs, cassettes, vectors and bounded fuzzing.
"""

import argparse
import sys
import time
from concurrent.futures import ThreadPoolExecutor, as_completed
from datetime import UTC, datetime
from pathlib import Path

from tinker_mock.suite.core.results import document
from tinker_mock.suite.core.selection import split_patterns
from tinker_mock.suite.core.verdict import Status
from tinker_mock.suite.report.terminal import Terminal
from tinker_mock.suite.report.write import write_reports
from tinker_mock.suite.selftest.section import PARTS, Outcome, Part, Plan


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    add = parser.add_argument
    add("--seed", type=int, default=0, help="of the mock, the fuzzer and the stories")
    add("--parts", default="", metavar="NAMES", help=f"of {', '.join(PARTS)}")
    add("--report", type=Path, default=Path("reports/conformance"), metavar="DIR")
    add("--mutants", choices=("must", "all"), default="must", help="which mutants to try")
    add("--jobs", type=int, default=3, help="parts at the same time")


def run(arguments: argparse.Namespace) -> int:
    """Run every part, show progress, end with one summary."""
    names = split_patterns(arguments.parts) or tuple(PARTS)
    unknown = [name for name in names if name not in PARTS]
    if unknown:
        print(f"tinker-mock: no part {unknown[0]!r}; there are {', '.join(PARTS)}", file=sys.stderr)
        return 2
    terminal = Terminal()
    plan = Plan(arguments.seed, arguments.report, arguments.mutants)
    started = datetime.now(UTC)
    outcomes = run_parts([PARTS[name] for name in names], plan, arguments.jobs, terminal)
    return conclude(outcomes, plan, started, terminal)


def run_parts(parts: list[Part], plan: Plan, jobs: int, terminal: Terminal) -> list[Outcome]:
    """The outcome of each part, in the order given; longest parts start first."""
    found: dict[str, Outcome] = {}
    with ThreadPoolExecutor(jobs) as pool:
        waiting = {pool.submit(attempt, part, plan): part for part in by_length(parts)}
        for done in as_completed(waiting):
            outcome = done.result()
            found[outcome.part] = outcome
            terminal.line(f"  {outcome.line()}")
    return [found[part.name] for part in parts]


def by_length(parts: list[Part]) -> list[Part]:
    """The parts that take longest first."""
    return sorted(parts, key=lambda part: part.seconds, reverse=True)


def attempt(part: Part, plan: Plan) -> Outcome:
    """A part's outcome; an exception is an error of the suite and not the end of the run."""
    began = time.monotonic()
    try:
        outcome = part.play(plan)
    except Exception as error:
        outcome = Outcome(part.name, broken=f"{type(error).__name__}: {error}")
    outcome.seconds = time.monotonic() - began
    return outcome


def conclude(outcomes: list[Outcome], plan: Plan, started: datetime, terminal: Terminal) -> int:
    """Write the reports and say how it went."""
    verdicts = [verdict for outcome in outcomes for verdict in outcome.verdicts]
    seconds = (datetime.now(UTC) - started).total_seconds()
    about = {"kind": "self", "name": "tinker-mock", "sdk": "all"}
    moment = started.isoformat(timespec="seconds")
    results = document(verdicts, about, plan.seed, moment, seconds)
    results["coverage"] = {o.part: o.coverage for o in outcomes if o.coverage}
    results["curves"] = {name: c for o in outcomes for name, c in o.curves.items()}
    broken = [outcome for outcome in outcomes if outcome.broken]
    results["conformant"] = results["conformant"] and not broken
    write_reports(results, plan.report)
    terminal.findings(results)
    terminal.line()
    for outcome in outcomes:
        terminal.line(f"  {outcome.line()}")
        for note in outcome.notes:
            terminal.line(f"      {note}")
    terminal.line(f"report: {plan.report / 'index.html'}")
    terminal.summary(results)
    errors = any(verdict.status is Status.ERROR for verdict in verdicts)
    if broken or errors:
        return 2
    return 0 if results["conformant"] else 1
