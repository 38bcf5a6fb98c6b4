"""`tinker-mock conformance run`: judge a server.

examples:
  tinker-mock conformance run --target http://127.0.0.1:8765 --other-key tml-second-tenant
  tinker-mock conformance run --target URL --key $TINKER_API_KEY --sdk 0.18+ --report reports
  tinker-mock conformance run --target URL --select training,sampling/stop/* --baseline known.yaml
  tinker-mock conformance run --target URL --wait 30 --budget 300 --quiet
"""

import argparse
import sys
import time
from dataclasses import replace
from datetime import UTC, datetime
from io import StringIO
from pathlib import Path
from typing import Any

import orjson

from tinker_mock.contracts.ledger import LedgerError, SdkSpan, frozen_rules
from tinker_mock.suite.core.baseline import Baseline, BaselineError, apply_baseline, read_baseline
from tinker_mock.suite.core.deadline import share_of
from tinker_mock.suite.core.reaching import Unreachable, reach
from tinker_mock.suite.core.results import Run, results_of
from tinker_mock.suite.core.selection import split_patterns
from tinker_mock.suite.core.target import Target
from tinker_mock.suite.oracle.precision import PRECISIONS
from tinker_mock.suite.report.terminal import Terminal
from tinker_mock.suite.report.write import write_reports
from tinker_mock.suite.server.runner import run_server_suite


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of a run."""
    add = parser.add_argument
    add("--target", required=True, metavar="URL", help="base URL of the server")
    add("--key", default="tml-conformance", help="API key (X-API-Key)")
    add("--other-key", default="", help="a second tenant's key, for isolation checks")
    add("--sdk", default="all", metavar="RANGE", help="releases claimed: 0.7-0.24, 0.25, 0.18+")
    add("--model", default="", help="base model to use (default: the first one offered)")
    add("--select", default="", metavar="GLOB", help="checks by prefix or glob, with commas")
    add("--baseline", type=Path, metavar="FILE", help="known failures, each with a reason")
    add("--report", type=Path, metavar="DIR", help="write results.json, HTML, JUnit, badge …")
    add("--requirements", default="", metavar="RELEASE", help="score the rules frozen for it")
    add("--read-only", action="store_true", help="make nothing on the server")
    add("--strict", action="store_true", help="a SHOULD that fails counts like a MUST")
    add("--timeout", type=float, default=10.0, metavar="S", help="seconds for one answer")
    add("--seed", type=int, default=0, help="noted in the results")
    add("--name", default="", help="the target's name in reports")
    add("--wait", type=float, default=0.0, metavar="S", help="wait so long for a first answer")
    add("--budget", type=float, default=600.0, metavar="S", help="seconds for the whole run")
    add("--precision", choices=tuple(PRECISIONS), default="float32", help="what it computes in")
    add("--quiet", action="store_true", help="the verdict line only")
    add("--json", action="store_true", help="print the results document, nothing else")


def target_of(arguments: argparse.Namespace) -> Target:
    """The target that the options describe; raises LedgerError for a bad range."""
    return Target(
        url=arguments.target,
        key=arguments.key,
        other_key=arguments.other_key,
        sdk=SdkSpan.parse(arguments.sdk),
        base_model=arguments.model,
        read_only=arguments.read_only,
        timeout=arguments.timeout,
        seed=arguments.seed,
        precision=arguments.precision,
        share=share_of(arguments.budget),
        scored=frozen_rules(arguments.requirements) if arguments.requirements else None,
    )


def run(arguments: argparse.Namespace) -> int:
    """Judge, report, and return the exit code."""
    try:
        target = target_of(arguments)
        baseline = read_baseline(arguments.baseline) if arguments.baseline else Baseline()
    except (LedgerError, BaselineError) as error:
        print(f"tinker-mock: {error}", file=sys.stderr)
        return 2
    try:
        reach(target.url, arguments.wait)
        target = replace(target, deadline=time.monotonic() + arguments.budget)
    except Unreachable as error:
        print(f"tinker-mock: {error}", file=sys.stderr)
        return 2
    terminal = Terminal(stream=StringIO() if arguments.json else None, quiet=arguments.quiet)
    started = datetime.now(UTC).isoformat(timespec="seconds")
    terminal.note(f"judging {target.url} as a server for SDK {target.sdk}")
    found = run_server_suite(
        target,
        split_patterns(arguments.select),
        lambda scenario, verdicts: terminal.progress(
            scenario.id, [v.status.value for v in verdicts]
        ),
    )
    about = {"kind": "server", "name": arguments.name or target.url, "sdk": str(target.sdk)}
    return conclude(found, results_of(found, about, started), baseline, arguments, terminal)


def conclude(
    found: Run,
    results: dict[str, Any],
    baseline: Baseline,
    arguments: argparse.Namespace,
    terminal: Terminal,
) -> int:
    """Show and write the results; the exit code."""
    if not results["verdicts"]:
        print(f"tinker-mock: no check matches {arguments.select!r}", file=sys.stderr)
        return 2
    judged = apply_baseline(results, baseline, strict=arguments.strict, whole=not arguments.select)
    judged.mark(results)
    if not arguments.quiet:
        terminal.findings(judged.unexpected(results))
    for text in judged.lines():
        terminal.line(text)
    for text in found.blame_suite:
        terminal.note(f"the suite itself sent: {text}")
    if arguments.report:
        try:
            write_reports(results, arguments.report)
        except OSError as error:
            message = f"--report {arguments.report}: cannot be written: {error.strerror}"
            print(f"tinker-mock: {message}", file=sys.stderr)
            return 2
        terminal.note(f"report: {arguments.report / 'index.html'}")
    terminal.summary(results)
    if getattr(arguments, "json", False):  # the provider and tokenizer commands have no such option
        print(orjson.dumps(results, option=orjson.OPT_INDENT_2).decode())
    if results["summary"]["error"] or found.blame_suite:
        return 2
    return 0 if judged.ok else 1
