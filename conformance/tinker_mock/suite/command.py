"""`tinker-mock conformance`: judge a server, list and explain checks, compare results.

exit codes:
  0  conformant (or nothing asked for was wrong)
  1  not conformant: a MUST failed or could not be tested, or the baseline is stale
  2  wrong usage, or the suite itself failed
"""

import argparse
from importlib import import_module

ACTIONS = {
    "run": ("tinker_mock.suite.commands.run", "judge a server"),
    "provider": ("tinker_mock.suite.commands.provider", "judge a provider of a Kimi model"),
    "tokenizer": ("tinker_mock.suite.commands.tokenizer", "judge a tokenizer"),
    "list": ("tinker_mock.suite.commands.listing", "list the checks"),
    "explain": ("tinker_mock.suite.commands.explain", "say what a check or requirement is about"),
    "baseline": ("tinker_mock.suite.commands.baseline", "write a baseline from a results file"),
    "compare": ("tinker_mock.suite.commands.compare", "show what differs between two results"),
    "matrix": ("tinker_mock.suite.commands.matrix", "one page of targets x checks"),
    "ledger": ("tinker_mock.suite.commands.ledger", "write the ledger as a Markdown page"),
    "self": ("tinker_mock.suite.commands.self_test", "judge this project by its own suite"),
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
