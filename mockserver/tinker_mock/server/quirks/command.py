"""`tinker-mock explain quirk [NAME]`: what a quirk does, and who says so; all of them without one.

examples:
  tinker-mock explain quirk
  tinker-mock explain quirk tools-ignored
"""

import argparse
import sys
from collections.abc import Iterable, Iterator
from textwrap import fill

from tinker_mock.contracts.fidelity import STRENGTHS, Witness, load_quirks
from tinker_mock.server.quirks.active import UnknownQuirk, quirk_of


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The argument of `explain quirk`."""
    parser.add_argument("name", nargs="?", metavar="NAME", help="a quirk; all of them without it")


def run(arguments: argparse.Namespace) -> int:
    """Exit code 0, or 2 for a name that is none."""
    rows = load_quirks()
    if arguments.name is None:
        for row in rows.values():
            print(_labelled(f"{row.name:<24} ", row.sentence))
        return 0
    try:
        row = rows[quirk_of(arguments.name)]
    except UnknownQuirk as error:
        print(f"tinker-mock explain quirk: {error}", file=sys.stderr)
        return 2
    print(row.name)
    for label, text in (
        ("quirk", row.sentence),
        *_said("says", row.for_quirk),
        ("default", row.default),
        *_said("says", row.for_default),
        ("reason", row.reason),
        ("decided", row.decided),
        ("switch on", f"tinker-mock serve --quirk {row.name}"),
    ):
        print(_labelled(f"  {label:<10}", text))
    return 0


def _said(label: str, witnesses: Iterable[Witness]) -> Iterator[tuple[str, str]]:
    for one in witnesses:
        yield label, f"{one.source}, {one.date} ({STRENGTHS[one.strength]})"


def _labelled(label: str, text: str) -> str:
    return fill(
        text,
        width=100,
        initial_indent=label,
        subsequent_indent=" " * len(label),
        break_long_words=False,
        break_on_hyphens=False,
    )
