"""`tinker-mock conformance`: judge a server, list and explain checks, compare results.

exit codes:
  0  conformant (or nothing asked for was wrong)
  1  not conformant: a MUST failed or could not be tested, or the baseline is stale
  2  wrong usage, or the suite itself failed
"""

import argparse
from importlib import import_module

ACTIONS = {
    "run": ("conformance.suite.commands.run", "judge a server"),
    "provider": ("conformance.suite.commands.provider", "judge a provider of a Kimi model"),
    "tokenizer": ("conformance.suite.commands.tokenizer", "judge a tokenizer"),
    "list": ("conformance.suite.commands.listing", "list the checks"),
    "explain": ("conformance.suite.commands.explain", "say what a check or requirement is about"),
    "baseline": ("conformance.suite.commands.baseline", "write a baseline from a results file"),
    "compare": ("conformance.suite.commands.compare", "show what differs between two results"),
    "matrix": ("conformance.suite.commands.matrix", "one page of targets x checks"),
    "ledger": ("conformance.suite.commands.ledger", "write the ledger as a Markdown page"),
    "self": ("conformance.suite.commands.self_test", "judge this project by its own suite"),
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the sub-commands."""
    parser.description = __doc__
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    for name, (module, help_text) in ACTIONS.items():
        action = actions.add_parser(name, help=help_text)
        import_module(module).add_arguments(action)


def run(arguments: argparse.Namespace) -> int:
    """Run one sub-command."""
    module, _ = ACTIONS[arguments.action]
    return int(import_module(module).run(arguments))
