"""`tinker-mock completion SHELL`: a script that completes commands, options and files.

examples:
  tinker-mock completion bash > ~/.local/share/bash-completion/completions/tinker-mock
  tinker-mock completion zsh > "${fpath[1]}/_tinker-mock"
"""

import argparse
from importlib import import_module
from pathlib import Path
from typing import Any

from tinker_mock.cli.commands import COMMANDS, GROUPS
from tinker_mock.cli.parser import Parser

SHELLS = ("bash", "zsh", "tcsh")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `completion`."""
    parser.add_argument("shell", choices=SHELLS, metavar="SHELL", help=", ".join(SHELLS))


def run(arguments: argparse.Namespace) -> int:
    """Print the script."""
    import shtab

    parser = whole_parser()
    prepare(parser, shtab.FILE)
    print(shtab.complete(parser, arguments.shell))
    return 0


def whole_parser() -> argparse.ArgumentParser:
    """One parser of all commands; one whose extra is not installed has no options."""
    parser = Parser(prog="tinker-mock")
    parser.add_argument("--version", action="store_true", help="say which version this is")
    groups = {"": parser.add_subparsers()}
    for path, (module, summary) in COMMANDS.items():
        group, _, name = path.rpartition(" ")
        if group not in groups:
            groups[group] = (
                groups[""]
                .add_parser(group, help=GROUPS[group], description=GROUPS[group])
                .add_subparsers()
            )
        command = groups[group].add_parser(name, help=summary, description=summary)
        try:
            import_module(f"tinker_mock.{module}").add_arguments(command)
        except ModuleNotFoundError:
            continue
    return parser


def prepare(parser: argparse.ArgumentParser, files: Any) -> None:
    """What shtab asks of a parser: a description, and marks where an argument is a path."""
    parser.description = parser.description or parser.prog
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for below in action.choices.values():
                prepare(below, files)
        elif action.type is Path:
            action.complete = files  # type: ignore[attr-defined]
