"""`conformance list`: the checks, with level and range."""

import argparse

from tinker_mock.contracts.ledger import requirement_of
from tinker_mock.suite.core.selection import selects, split_patterns


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument("--select", default="", metavar="GLOB", help="checks by prefix or glob")
    parser.add_argument("--level", choices=("MUST", "SHOULD", "MAY"), help="only this level")


def run(arguments: argparse.Namespace) -> int:
    """Print one line a check."""
    patterns = split_patterns(arguments.select)
    shown = 0
    for check, rule in requirement_of().items():
        if selects(patterns, check) and arguments.level in (None, rule.level):
            print(f"{check:<48} {rule.level:<6} {rule.sdk!s:<10} {rule.text}")
            shown += 1
    print(f"{shown} checks")
    return 0 if shown else 2
