"""`conformance compare A.json B.json`: what differs between two results."""

import argparse
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tinker_mock.suite.core.results import ResultsError, read_results

BAD = ("fail", "error", "not-testable")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the two files."""
    parser.add_argument("before", type=Path, help="a results.json")
    parser.add_argument("after", type=Path, help="another one")


def compare(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, list[str]]:
    """Checks by what became of them: worse, better, changed, added, removed."""
    old = {row["check"]: row["status"] for row in before["verdicts"]}
    new = {row["check"]: row["status"] for row in after["verdicts"]}
    found: dict[str, list[str]] = {"worse": [], "better": [], "changed": []}
    for check in old.keys() & new.keys():
        if old[check] == new[check]:
            continue
        was, is_now = old[check] in BAD, new[check] in BAD
        kind = "changed" if was == is_now else ("worse" if is_now else "better")
        found[kind].append(f"{check}: {old[check]} → {new[check]}")
    found["added"] = [f"{check}: {new[check]}" for check in new.keys() - old.keys()]
    found["removed"] = [f"{check}: {old[check]}" for check in old.keys() - new.keys()]
    return {kind: sorted(lines) for kind, lines in found.items()}


def run(arguments: argparse.Namespace) -> int:
    """Print the differences; 1 if anything got worse."""
    try:
        before, after = read_results(arguments.before), read_results(arguments.after)
    except ResultsError as error:
        print(f"tinker-mock: {error}", file=sys.stderr)
        return 2
    found = compare(before, after)
    for kind, lines in found.items():
        if lines:
            print(f"{kind} ({len(lines)})")
            print("\n".join(f"  {line}" for line in lines))
    if not any(found.values()):
        print("no differences")
    return 1 if found["worse"] else 0
