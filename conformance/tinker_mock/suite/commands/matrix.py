"""`conformance matrix`: one page of targets x checks from stored results."""

import argparse
import sys
from pathlib import Path
from typing import Any

from tinker_mock.suite.core.results import ResultsError, read_results
from tinker_mock.suite.report.write import filled


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the files."""
    parser.add_argument("results", type=Path, nargs="+", help="results.json files, one a target")
    parser.add_argument("--output", type=Path, default=Path("matrix.html"), metavar="FILE")


def matrix(documents: list[dict[str, Any]]) -> dict[str, Any]:
    """The page's data: targets, and for each check its level and one status a target."""
    targets = [{**one["target"], "summary": one["summary"]} for one in documents]
    checks: dict[str, dict[str, Any]] = {}
    for number, one in enumerate(documents):
        for row in one["verdicts"]:
            entry = checks.setdefault(
                row["check"],
                {"level": row["level"], "text": row["text"], "status": [""] * len(documents)},
            )
            entry["status"][number] = row["status"]
    return {"targets": targets, "checks": checks}


def run(arguments: argparse.Namespace) -> int:
    """Write the page."""
    try:
        documents = [read_results(path) for path in arguments.results]
    except ResultsError as error:
        print(f"tinker-mock: {error}", file=sys.stderr)
        return 2
    arguments.output.write_text(filled("matrix.html", matrix(documents)), "utf-8")
    print(arguments.output)
    return 0
