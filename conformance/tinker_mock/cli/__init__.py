"""The command line, `tinker-mock`: finds a command in the table, imports it, runs it."""

import gc
import os
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Any

from tinker_mock.cli.commands import COMMANDS, GROUPS, NOTES, extra_of
from tinker_mock.cli.parser import Parser, did_you_mean
from tinker_mock.cli.streams import CLOSED, output_is_closed, widen

PROGRAM = "tinker-mock"
WRONG_USAGE, INTERRUPTED = 2, 130
HELP = ("-h", "--help")
VERSION = ("--version", "-V", "version")


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns the process exit code (2 for wrong usage)."""
    widen()
    try:
        try:
            return dispatch(list(sys.argv[1:] if argv is None else argv))
        finally:
            sys.stdout.flush()
    except BrokenPipeError:
        if output_is_closed():
            return CLOSED
        raise
    except KeyboardInterrupt:
        # Threads in the middle of their requests would be waited for, half a minute long.
        sys.stdout.flush()
        os._exit(INTERRUPTED)


def dispatch(words: list[str]) -> int:
    """The command that the words begin with gets the rest; without one there is help."""
    first = words[0] if words else "help"
    if first in VERSION:
        print(f"{PROGRAM} {version()}")
        return 0
    if first in ("help", *HELP):
        about = (
            words[1:2] if words[1:2] not in ([word] for word in ("help", *HELP, *VERSION)) else []
        )
        words = [*about, *words[2:], "--help"]
    group = words[0] if words[0] in GROUPS else ""
    names = below(group)
    rest = words[1:] if group else words
    if rest[:1] == ["help"]:
        rest = [*rest[1:], "--help"]
    if not rest or rest[0] in HELP:
        print(overview(group))
        return 0
    name = rest[0]
    if name not in names:
        option = name.startswith("-")
        known = ["--help", *(() if group else ("--version",))] if option else [*names, "help"]
        what = f"option {name}" if option else f"command {name!r}"
        hint = did_you_mean(name, known)
        there = "" if hint else f"; there are {', '.join(known)}"
        print(f"{spelt(group)}: no {what}{hint}{there}", file=sys.stderr)
        return WRONG_USAGE
    return execute(f"{group} {name}".strip(), rest[1:])


def execute(command: str, words: list[str]) -> int:
    """Import a command, parse its options, run it."""
    path, summary = COMMANDS[command]
    try:
        module = _imported(f"tinker_mock.{path}")
        description, _, examples = (module.__doc__ or summary).partition("\n\nexamples:\n")
        epilog = f"examples:\n{examples}" if examples else None
        parser = Parser(prog=spelt(command), description=description, epilog=epilog)
        module.add_arguments(parser)
        return int(module.run(parser.parse(words)) or 0)
    except (FileNotFoundError, IsADirectoryError, NotADirectoryError, PermissionError) as error:
        if error.filename is None:
            raise
        print(f"{spelt(command)}: {error.filename}: {error.strerror}", file=sys.stderr)
        return WRONG_USAGE
    except ModuleNotFoundError as error:
        extra = extra_of(path)
        if not extra or not error.name or error.name.startswith("tinker_mock"):
            raise
        lacking = f"needs pip install '{PROGRAM}[{extra}]' (there is no {error.name} here)"
        print(f"{spelt(command)}: {lacking}", file=sys.stderr)
        return WRONG_USAGE


def _imported(name: str) -> Any:
    """The module. Nobody looks for garbage meanwhile: importing makes hardly any."""
    gc.disable()
    try:
        return import_module(name)
    finally:
        gc.enable()


def below(group: str) -> dict[str, str]:
    """The commands of a group ('': of the program) and what they do."""
    found: dict[str, str] = {}
    for path, (_, summary) in COMMANDS.items():
        above, _, name = path.rpartition(" ")
        if above == group:
            found[name] = summary
        elif not group:
            found.setdefault(above, GROUPS[above])
    return found


def overview(group: str) -> str:
    """The help of the program or of a group."""
    names = below(group)
    width = max(map(len, names)) + 2
    what = GROUPS[group]
    lines = [
        f"usage: {spelt(group)} COMMAND …",
        "",
        f"{what[0].upper()}{what[1:]}.",
        "",
        "commands:",
    ]
    lines += [f"  {name:<{width}}{summary}" for name, summary in names.items()]
    return "\n".join([*lines, *(["", NOTES[group]] if group in NOTES else [])])


def spelt(command: str) -> str:
    """What one types for a command or group ('': the program)."""
    return f"{PROGRAM} {command}".strip()


def version() -> str:
    """The installed version."""
    from importlib.metadata import version as installed

    return installed("tinker-mock")
