"""The options of `tinker-mock client`, and which function does what."""

import argparse
import asyncio
import json
from collections.abc import Awaitable, Callable, Sequence

from tinker_mock.client.commands import checkpoints, runs, samples
from tinker_mock.client.commands.terminal import Terminal
from tinker_mock.client.config.presets import PRESETS
from tinker_mock.client.errors import ApiTimeoutError, Category, TinkerError, invalid
from tinker_mock.client.service import AsyncServiceClient

Action = Callable[[Terminal, AsyncServiceClient, argparse.Namespace], Awaitable[int]]

EXAMPLES = """examples:
  tinker-mock client checkpoint list --limit 5
  tinker-mock client checkpoint download tinker://RUN/weights/NAME --output DIR
  tinker-mock client run info RUN --json
  tinker-mock client sample --base-model MODEL --prompt 'Once upon a time' --max-tokens 20
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The commands of a client, as `tinker_mock.cli` wants them."""
    parser.description = "Speak to a Tinker server: TINKER_BASE_URL and TINKER_API_KEY say which."
    parser.epilog = EXAMPLES
    commands = parser.add_subparsers(dest="client_command", metavar="COMMAND", required=True)
    _checkpoint(commands.add_parser("checkpoint", help="save, list, publish, delete, download"))
    _run(commands.add_parser("run", help="list runs; or sample, as `sample` does"))
    sample = commands.add_parser("sample", help="sample text from a model")
    _sampling(sample)
    sample.set_defaults(action=samples.sample, failure="Sampling failed")
    shown = commands.add_parser("version", help="show the version")
    shown.add_argument("--json", action="store_true", help="as JSON")
    shown.add_argument("--deps", action="store_true", help="only name and version")
    shown.set_defaults(action=None)


def run(arguments: argparse.Namespace, terminal: Terminal | None = None) -> int:
    """Run one command. 0 is success, 1 failure."""
    terminal = terminal or Terminal()
    if arguments.action is None:
        return _version(terminal, arguments)
    try:
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
    if arguments.json:
        terminal.say(json.dumps({"version": terminal.version, "commit": terminal.commit}))
    else:
        commit = f" ({terminal.commit})" if terminal.commit and not arguments.deps else ""
        terminal.say(f"{terminal.program} {terminal.version}{commit}")
    return 0


def _connection(parser: argparse.ArgumentParser, *, inner: bool = False) -> None:
    """Options of every command; an `inner` parser leaves alone what stood before its action."""
    none = argparse.SUPPRESS if inner else None
    parser.add_argument("--api-key", default=none, help="instead of TINKER_API_KEY")
    parser.add_argument("--base-url", default=none, help="instead of TINKER_BASE_URL")
    parser.add_argument(
        "--preset", default=none, choices=sorted(PRESETS), help="behave like this client"
    )
    parser.add_argument(
        "--timeout", type=float, default=none, metavar="MS", help="for the whole command"
    )


def _listing(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--limit", type=int, default=20, help="0 is all")
    parser.add_argument("--offset", type=int, default=0)
    _format(parser)


def _format(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("-f", "--format", choices=("table", "json"), default="table")
    parser.add_argument(
        "--json", dest="format", action="store_const", const="json", help="as --format json"
    )


def _checkpoint(parser: argparse.ArgumentParser) -> None:
    _connection(parser)
    parser.add_argument("--base-model", help="save a fresh adapter on this model")
    parser.add_argument("--model-path", help="save again what is at this tinker:// path")
    parser.add_argument("--name", help="the checkpoint's name")
    parser.add_argument("--output", help="where to write what was saved (JSON)")
    parser.add_argument("--rank", type=int, default=32)
    parser.add_argument("--seed", type=int)
    for part in ("mlp", "attn", "unembed"):
        parser.add_argument(f"--train-{part}", action=argparse.BooleanOptionalAction, default=True)
    parser.set_defaults(action=_save, failure="Checkpoint failed")
    actions = parser.add_subparsers(dest="checkpoint_action", metavar="ACTION")
    listing = _action(actions, "list", checkpoints.list_all, "List failed")
    listing.add_argument("--run-id", help="only of this run")
    _listing(listing)
    _format(_on_path(actions, "info", checkpoints.info, "Info failed"))
    _on_path(actions, "publish", checkpoints.publish, "Publish failed")
    _on_path(actions, "unpublish", checkpoints.unpublish, "Unpublish failed")
    ttl = _on_path(actions, "set-ttl", checkpoints.set_ttl, "Setting the TTL failed")
    ttl.add_argument("--ttl", type=int, metavar="SECONDS")
    ttl.add_argument("--remove", action="store_true", help="never expire")
    removal = _action(actions, "delete", checkpoints.delete, "Delete failed")
    removal.add_argument("paths", nargs="+", metavar="PATH")
    removal.add_argument("--yes", action="store_true", help="do not ask")
    fetching = _on_path(actions, "download", checkpoints.download, "Download failed")
    fetching.add_argument("--output", help="directory to make it in")
    fetching.add_argument("--force", action="store_true", help="replace what is there")
    fetching.add_argument("--sha256", help="checksum the archive must have")


def _run(parser: argparse.ArgumentParser) -> None:
    _sampling(parser)
    parser.set_defaults(action=samples.sample, failure="Sampling failed")
    actions = parser.add_subparsers(dest="run_action", metavar="ACTION")
    _listing(_action(actions, "list", runs.list_all, "List failed"))
    info = _action(actions, "info", runs.info, "Info failed")
    info.add_argument("run_id", metavar="RUN")
    _format(info)


def _sampling(parser: argparse.ArgumentParser) -> None:
    _connection(parser)
    parser.add_argument("--base-model")
    parser.add_argument("--model-path", help="a tinker:// path of sampler weights")
    parser.add_argument("--prompt", help="text")
    parser.add_argument("--prompt-file", help="text, or token ids as JSON")
    parser.add_argument("--tokenizer", help="whose tokenizer to use, if not the model's")
    parser.add_argument("--max-tokens", type=int)
    parser.add_argument("--seed", type=int)
    parser.add_argument("--temperature", type=float, default=1.0)
    parser.add_argument("--top-k", type=int, default=-1)
    parser.add_argument("--top-p", type=float, default=1.0)
    parser.add_argument("--num-samples", type=int, default=1)
    parser.add_argument("--output", help="write to a file")
    parser.add_argument("--json", action="store_true", help="as JSON")


def _action(
    actions: "argparse._SubParsersAction[argparse.ArgumentParser]",
    name: str,
    action: Action,
    failure: str,
) -> argparse.ArgumentParser:
    parser = actions.add_parser(name, help=action.__doc__)
    _connection(parser, inner=True)
    parser.set_defaults(action=action, failure=failure)
    return parser


def _on_path(
    actions: "argparse._SubParsersAction[argparse.ArgumentParser]",
    name: str,
    action: Action,
    failure: str,
) -> argparse.ArgumentParser:
    parser = _action(actions, name, action, failure)
    parser.add_argument("path", metavar="PATH", help="tinker://RUN/KIND/NAME")
    return parser


async def _save(
    terminal: Terminal, service: AsyncServiceClient, arguments: argparse.Namespace
) -> int:
    if not arguments.output:
        raise invalid("--output FILE is required: it gets the checkpoint's path")
    return await checkpoints.save(terminal, service, arguments)
