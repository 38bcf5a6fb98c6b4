"""`tinker-mock audit client -- COMMAND`: run a program against the mock and judge what it sends.

The program finds TINKER_BASE_URL, TINKER_API_KEY and TINKER_MOCK_MODEL in its environment. It is
run once in each situation (TINKER_MOCK_SITUATION names it), each time on a fresh mock.

examples:
  tinker-mock audit client -- python train.py
  tinker-mock audit client --situation pending,lost -- node train.mjs
"""

import argparse
import sys
from datetime import UTC, datetime
from pathlib import Path

from tinker_mock.suite.client.audit import audit_client, situations
from tinker_mock.suite.core.baseline import Baseline, BaselineError, apply_baseline, read_baseline
from tinker_mock.suite.core.results import document
from tinker_mock.suite.core.selection import selects, split_patterns
from tinker_mock.suite.report.terminal import Terminal
from tinker_mock.suite.report.write import write_reports


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    add = parser.add_argument
    add("--situation", default="", metavar="NAMES", help=f"of {', '.join(situations())}")
    add("--scenario", dest="situation", default=argparse.SUPPRESS, help=argparse.SUPPRESS)
    add("--select", default="", metavar="GLOB", help="checks by prefix or glob, with commas")
    add("--timeout", type=float, default=60.0, metavar="S", help="seconds for one run")
    add("--jobs", type=int, default=2, help="runs at the same time")
    add("--baseline", type=Path, metavar="FILE", help="known failures, each with a reason")
    add("--report", type=Path, metavar="DIR", help="write results.json, HTML, JUnit, badge …")
    add("--name", default="", help="the client's name in reports")
    add("program", nargs="+", metavar="COMMAND", help="the program and its arguments, after --")


def run(arguments: argparse.Namespace) -> int:
    """Audit and report; 0 conformant, 1 not, 2 wrong usage."""
    names = split_patterns(arguments.situation)
    unknown = [name for name in names if name not in situations()]
    try:
        baseline = read_baseline(arguments.baseline) if arguments.baseline else Baseline()
    except BaselineError as error:
        print(f"tinker-mock: {error}", file=sys.stderr)
        return 2
    if unknown:
        known = ", ".join(situations())
        print(f"tinker-mock: no situation {unknown[0]!r}; there are {known}", file=sys.stderr)
        return 2
    terminal = Terminal()
    started = datetime.now(UTC)
    patterns = split_patterns(arguments.select)
    found = audit_client(
        arguments.program, names, arguments.timeout, terminal.line, jobs=arguments.jobs
    )
    verdicts = [one for one in found if selects(patterns, one.check)]
    name = arguments.name or " ".join(arguments.program)
    seconds = (datetime.now(UTC) - started).total_seconds()
    about = {"kind": "client", "name": name, "sdk": "all"}
    moment = started.isoformat(timespec="seconds")
    results = document(verdicts, about, 0, moment, seconds)
    judged = apply_baseline(results, baseline, whole=not (patterns or names))
    judged.mark(results)
    terminal.findings(judged.unexpected(results))
    for text in judged.lines():
        terminal.line(text)
    if arguments.report:
        write_reports(results, arguments.report)
        terminal.line(f"report: {arguments.report / 'index.html'}")
    terminal.summary(results)
    if results["summary"]["error"]:
        return 2
    return 0 if judged.ok else 1
