"""`tinker-mock examples`: short programs to start from; with a NAME, its text.

examples:
  tinker-mock examples
  tinker-mock examples supervised > supervised.py
  tinker-mock run --seed 7 -- python supervised.py
"""

import argparse
import ast
import sys

from tinker_mock.cli.parser import did_you_mean
from tinker_mock.contracts.locations import EXAMPLES


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of `examples`."""
    parser.add_argument("name", nargs="?", metavar="NAME", help="print this one")


def run(arguments: argparse.Namespace) -> int:
    """List them, or print one; 2 for a name that none has."""
    known = {path.stem: path.read_text(encoding="utf-8") for path in sorted(EXAMPLES.glob("*.py"))}
    if arguments.name is None:
        for name, text in known.items():
            summary = (ast.get_docstring(ast.parse(text)) or "").splitlines()[0]
            print(f"{name:<20} {summary}")
        return 0
    if arguments.name not in known:
        hint = did_you_mean(arguments.name, known)
        print(f"tinker-mock examples: no example {arguments.name!r}{hint}", file=sys.stderr)
        return 2
    print(known[arguments.name], end="")
    return 0
