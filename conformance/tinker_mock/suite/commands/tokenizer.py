"""`conformance tokenizer`: judge a tokenizer, its streams, stops and chat template."""

import argparse
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

from tinker_mock.contracts.ledger import requirement_of
from tinker_mock.suite.commands.run import conclude
from tinker_mock.suite.core.baseline import Baseline
from tinker_mock.suite.core.results import Run, document
from tinker_mock.suite.core.selection import selects, split_patterns
from tinker_mock.suite.core.target import Target
from tinker_mock.suite.report.terminal import Terminal
from tinker_mock.suite.tokenizers.judge import CHAPTER, judge_tokenizer
from tinker_mock.suite.tokenizers.subject import Subject, sample_texts
from tinker_mock.tokenizer import TokenizerError, load_tokenizer


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    add = parser.add_argument
    add("-t", "--tokenizer", required=True, metavar="NAME", help="file, directory, model or id")
    add("--offline", action="store_true", default=None, help="download nothing")
    add("--seed", type=int, default=0, help="of the texts to judge by")
    add("--select", default="", metavar="GLOB", help="checks by prefix or glob, with commas")
    add("--report", type=Path, metavar="DIR", help="write results.json, HTML, JUnit, badge …")
    add("--strict", action="store_true", help="a SHOULD that fails counts like a MUST")
    add("--quiet", action="store_true", help="no progress lines")


def run(arguments: argparse.Namespace) -> int:
    """Judge, report, and return the exit code."""
    try:
        tokenizer = load_tokenizer(arguments.tokenizer, offline=arguments.offline)
    except TokenizerError as error:
        print(f"tinker-mock: {error}", file=sys.stderr)
        return 2
    patterns = split_patterns(arguments.select)
    terminal = Terminal(quiet=arguments.quiet)
    terminal.line(f"judging the tokenizer {tokenizer.name} ({tokenizer.vocab_size} ids)")
    started, clock = datetime.now(UTC).isoformat(timespec="seconds"), time.monotonic()
    rules = {check: rule for check, rule in requirement_of().items() if rule.chapter == CHAPTER}
    subject = Subject(tokenizer, texts=sample_texts(arguments.seed))
    verdicts = judge_tokenizer(subject, rules, lambda check: selects(patterns, check))
    duration = time.monotonic() - clock
    about = {"kind": "tokenizer", "name": tokenizer.name, "sdk": "all"}
    results = document(verdicts, about, arguments.seed, started, duration)
    found = Run(Target(""), verdicts, duration=duration)
    return conclude(found, results, Baseline(), arguments, terminal)
