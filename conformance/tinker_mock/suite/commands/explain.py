"""`conformance explain ID`: what a check or a requirement is about."""

import argparse
import sys
from difflib import get_close_matches

from tinker_mock.contracts.ledger import load_ledger, requirement_of
from tinker_mock.suite.report.terminal import wrapped
from tinker_mock.suite.server.runner import load_scenarios


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the id."""
    parser.add_argument("id", help="a check's or a requirement's id")


def elsewhere(rule_id: str) -> str:
    """Who makes the check of a rule when no scenario does."""
    chapter, _, rest = rule_id.partition("/")
    if chapter in ("client", "tokenizer"):
        return f"none: the {chapter} is audited"
    return "every answer of the run" if rest.startswith("wire/") else "none makes it yet"


def run(arguments: argparse.Namespace) -> int:
    """Print the requirement, its source and where it is checked."""
    rules, ledger = requirement_of(), load_ledger()
    rule = rules.get(arguments.id) or ledger.get(arguments.id)
    if rule is None:
        near = get_close_matches(arguments.id, {*rules, *ledger}, 5)
        hint = f"; near: {', '.join(near)}" if near else ""
        print(f"tinker-mock: no check or requirement {arguments.id!r}{hint}", file=sys.stderr)
        return 2
    print(rule.id)
    for label, text in (
        ("rule", rule.text),
        ("level", rule.level),
        ("SDK", str(rule.sdk)),
        ("source", rule.source),
        ("checks", ", ".join(rule.checks) or f"none: {rule.unproved}"),
    ):
        print(wrapped(label, text))
    made_by = [one.id for one in load_scenarios().values() if set(one.checks) & set(rule.checks)]
    print(wrapped("scenario", ", ".join(made_by) or elsewhere(rule.id)))
    return 0
