"""`conformance baseline`: a baseline from a results file."""

import argparse
import sys
from pathlib import Path

from tinker_mock.suite.core.baseline import BaselineError, baseline_text, read_baseline
from tinker_mock.suite.core.results import ResultsError, read_results


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument("results", type=Path, help="a results.json")
    parser.add_argument("--output", type=Path, metavar="FILE", help="write here (keeps reasons)")


def run(arguments: argparse.Namespace) -> int:
    """Write or print the baseline."""
    try:
        results = read_results(arguments.results)
        path = arguments.output
        old = read_baseline(path) if path and path.exists() else None
    except (ResultsError, BaselineError) as error:
        print(f"tinker-mock: {error}", file=sys.stderr)
        return 2
    text = baseline_text(results, old)
    if path:
        path.write_text(text, "utf-8")
    else:
        print(text, end="")
    return 0
