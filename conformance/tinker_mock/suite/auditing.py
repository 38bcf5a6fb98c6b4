"""`tinker-mock audit`: real SDK releases against the mock, or any client program."""

import argparse
from importlib import import_module

SUBJECTS = {
    "sdk": ("tinker_mock.suite.sdk.command", "real SDK releases, step by step"),
    "client": ("tinker_mock.suite.client.command", "any program, judged by what it says"),
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add a sub-command for each subject."""
    subjects = parser.add_subparsers(dest="subject", metavar="SUBJECT", required=True)
    for name, (module, summary) in SUBJECTS.items():
        subject = subjects.add_parser(
            name, help=summary, formatter_class=argparse.RawDescriptionHelpFormatter
        )
        import_module(module).add_arguments(subject)


def run(arguments: argparse.Namespace) -> int:
    """Audit the subject."""
    module, _ = SUBJECTS[arguments.subject]
    return int(import_module(module).run(arguments) or 0)
