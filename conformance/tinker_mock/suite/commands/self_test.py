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
from tinker_mock.suite.selftest import SECTIONS
from tinker_mock.suite.selftest.section import Options, Section, SectionResult


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    add = parser.add_argument
    add("--seed", type=int, default=0, help="of the mock and the fuzzer")
    add("--sections", default="", metavar="NAMES", help=f"of {', '.join(SECTIONS)}")
    add("--parts", dest="sections", default=argparse.SUPPRESS, help=argparse.SUPPRESS)
    add("--report", type=Path, default=Path("reports/conformance"), metavar="DIR")
    add("--mutants", choices=("must", "all"), default="must", help="which mutants to try")
    add("--jobs", type=int, default=3, help="sections at the same time")


def run(arguments: argparse.Namespace) -> int:
    """Run every section, show progress, end with one summary."""
    names = split_patterns(arguments.sections) or tuple(SECTIONS)
    unknown = [name for name in names if name not in SECTIONS]
    if unknown:
        known = ", ".join(SECTIONS)
        print(f"tinker-mock: no section {unknown[0]!r}; there are {known}", file=sys.stderr)
        return 2
    terminal = Terminal()
    options = Options(arguments.seed, arguments.report, arguments.mutants)
    started = datetime.now(UTC)
    found = run_sections([SECTIONS[name] for name in names], options, arguments.jobs, terminal)
    return conclude(found, options, started, terminal)


def run_sections(
    sections: list[Section], options: Options, jobs: int, terminal: Terminal
) -> list[SectionResult]:
    """The result of each section, in the order given; longest sections start first."""
    found: dict[str, SectionResult] = {}
    with ThreadPoolExecutor(jobs) as pool:
        waiting = {
            pool.submit(attempt, section, options): section for section in by_length(sections)
        }
        for done in as_completed(waiting):
            result = done.result()
            found[result.section] = result
            terminal.line(f"  {result.line()}")
    return [found[section.name] for section in sections]


def by_length(sections: list[Section]) -> list[Section]:
    """The sections that take longest first."""
    return sorted(sections, key=lambda section: section.seconds, reverse=True)


def attempt(section: Section, options: Options) -> SectionResult:
    """A section's result; an exception is an error of the suite and not the end of the run."""
    began = time.monotonic()
    try:
        result = section.play(options)
    except Exception as error:
        result = SectionResult(section.name, broken=f"{type(error).__name__}: {error}")
    result.seconds = time.monotonic() - began
    return result


def conclude(
    found: list[SectionResult], options: Options, started: datetime, terminal: Terminal
) -> int:
    """Write the reports and say how it went."""
    verdicts = [verdict for one in found for verdict in one.verdicts]
    seconds = (datetime.now(UTC) - started).total_seconds()
    about = {"kind": "self", "name": "tinker-mock", "sdk": "all"}
    moment = started.isoformat(timespec="seconds")
    results = document(verdicts, about, options.seed, moment, seconds)
    results["coverage"] = {o.section: o.coverage for o in found if o.coverage}
    results["curves"] = {name: c for o in found for name, c in o.curves.items()}
    broken = [one for one in found if one.broken]
    results["conformant"] = results["conformant"] and not broken
    write_reports(results, options.report)
    terminal.findings(results)
    terminal.line()
    for one in found:
        terminal.line(f"  {one.line()}")
        for note in one.notes:
            terminal.line(f"      {note}")
    terminal.line(f"report: {options.report / 'index.html'}")
    terminal.summary(results)
    errors = any(verdict.status is Status.ERROR for verdict in verdicts)
    if broken or errors:
        return 2
    return 0 if results["conformant"] else 1
