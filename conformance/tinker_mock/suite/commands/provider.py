"""`conformance provider`: judge an OpenAI-compatible endpoint that serves a Kimi model.

The requests are in fixtures/kimi/provider_requests.json; every one is asked whole and streamed.
Prints the vendor verifier's numbers (tool_call_f1, schema_accuracy) with the verdicts.
"""

import argparse
import os
import time
from datetime import UTC, datetime
from pathlib import Path

from tinker_mock.contracts.ledger import requirement_of
from tinker_mock.suite.commands.run import conclude
from tinker_mock.suite.core.baseline import Baseline
from tinker_mock.suite.core.results import Run, document
from tinker_mock.suite.core.selection import selects, split_patterns
from tinker_mock.suite.core.target import Target
from tinker_mock.suite.providers.judge import CHAPTER, Judge
from tinker_mock.suite.providers.provider import Provider
from tinker_mock.suite.report.terminal import Terminal

KEY_VARIABLE = "KIMI_PROVIDER_API_KEY"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    add = parser.add_argument
    add("--base-url", required=True, metavar="URL", help="what stands before /chat/completions")
    add("--model", required=True, metavar="NAME", help="the model's name there")
    add("--key", default="", help=f"API key (default: the environment's {KEY_VARIABLE})")
    add("--select", default="", metavar="GLOB", help="checks by prefix or glob, with commas")
    add("--report", type=Path, metavar="DIR", help="write results.json, HTML, JUnit, badge …")
    add("--strict", action="store_true", help="a SHOULD that fails counts like a MUST")
    add("--timeout", type=float, default=120.0, metavar="S", help="seconds for one answer")
    add("--quiet", action="store_true", help="no progress lines")


def run(arguments: argparse.Namespace) -> int:
    """Judge, report, and return the exit code."""
    key = arguments.key or os.environ.get(KEY_VARIABLE, "tml-conformance")
    provider = Provider(arguments.base_url, arguments.model, key, arguments.timeout)
    rules = {k: rule for k, rule in requirement_of().items() if rule.chapter == CHAPTER}
    patterns = split_patterns(arguments.select)
    judge = Judge(provider, rules, lambda check: selects(patterns, check))
    terminal = Terminal(quiet=arguments.quiet)
    terminal.line(f"judging {provider.address} as a provider of {provider.model}")
    started, clock = datetime.now(UTC).isoformat(timespec="seconds"), time.monotonic()
    try:
        judge.run()
    finally:
        provider.close()
    for name in ("tool_call_f1", "schema_accuracy", "success_count", "failure_count"):
        terminal.line(f"{name}: {judge.numbers.get(name)}")
    about = {"kind": "provider", "name": arguments.base_url, "sdk": "all"}
    duration = time.monotonic() - clock
    results = document(judge.verdicts, about, 0, started, duration, {"metrics": judge.numbers})
    found = Run(Target(arguments.base_url), judge.verdicts, duration=duration)
    return conclude(found, results, Baseline(), arguments, terminal)
