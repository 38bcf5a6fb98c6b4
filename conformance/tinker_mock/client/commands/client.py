"""`tinker-mock client`: run one command against a server."""

import argparse
import asyncio
import json
from collections.abc import Sequence

from tinker_mock.client.commands import samples
from tinker_mock.client.commands.options import Action, add_arguments
from tinker_mock.client.commands.terminal import Terminal
from tinker_mock.client.errors import ApiTimeoutError, Category, TinkerError

__all__ = ["add_arguments", "main", "run"]


def run(arguments: argparse.Namespace, terminal: Terminal | None = None) -> int:
    """Run one command. 0 is success, 1 failure."""
    terminal = terminal or Terminal()
    if arguments.action is None:
        return _version(terminal, arguments)
    try:
        if getattr(arguments, "local", False):
            return int(arguments.action(terminal, arguments))
        return asyncio.run(_with_service(terminal, arguments))
    except TinkerError as error:
        terminal.warn(f"{arguments.failure}: {error}")
        if error.user_error:
            terminal.warn("Please check your inputs.")
        return 1
    except (OSError, ValueError) as error:
        terminal.warn(f"{arguments.failure}: {error}")
        return 1


def main(argv: Sequence[str], terminal: Terminal | None = None) -> int:
    """Parse and run: for programs that embed the commands."""
    parser = argparse.ArgumentParser(
        prog="tinker-mock client", formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add_arguments(parser)
    return run(parser.parse_args(argv), terminal)


async def _with_service(terminal: Terminal, arguments: argparse.Namespace) -> int:
    if arguments.action is samples.sample:
        samples.check(arguments)
    action: Action = arguments.action
    limit = arguments.timeout
    async with terminal.service(arguments) as service:
        try:
            async with asyncio.timeout(None if limit is None else limit / 1000):
                return await action(terminal, service, arguments)
        except ApiTimeoutError:
            raise
        except TimeoutError:
            raise ApiTimeoutError(
                f"not done within {limit:g} ms", category=Category.SERVER
            ) from None


def _version(terminal: Terminal, arguments: argparse.Namespace) -> int:
    if arguments.format == "json":
        terminal.say(json.dumps({"version": terminal.version, "commit": terminal.commit}))
    else:
        commit = f" ({terminal.commit})" if terminal.commit and not arguments.deps else ""
        terminal.say(f"{terminal.program} {terminal.version}{commit}")
    return 0
