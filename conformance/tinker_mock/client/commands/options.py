"""The options of `tinker-mock client`, and which function each command is."""

import argparse
from collections.abc import Awaitable, Callable
from importlib.metadata import version
from typing import Any

from tinker_mock.client.commands import (
    account,
    billing,
    checkpoints,
    hub,
    plot,
    runs,
    samples,
    sessions,
    training,
)
from tinker_mock.client.commands.terminal import Terminal
from tinker_mock.client.config.presets import PRESETS
from tinker_mock.client.service import AsyncServiceClient

Action = Callable[[Terminal, AsyncServiceClient, argparse.Namespace], Awaitable[int]]
Commands = Any  # argparse keeps its class of subparsers to itself

EXAMPLES = """examples:
  tinker-mock client checkpoint list --limit 5
  tinker-mock client checkpoint download tinker://RUN/weights/NAME --output DIR
  tinker-mock client run info RUN --json
  tinker-mock client sample --base-model MODEL --prompt 'Once upon a time' --max-tokens 20
  tinker-mock client train data.jsonl --base-model MODEL --steps 20 --metrics metrics.jsonl
  tinker-mock client plot metrics.jsonl
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The commands of a client, as `tinker_mock.cli` wants them."""
    parser.description = "Speak to a Tinker server: TINKER_BASE_URL and TINKER_API_KEY say which."
    parser.epilog = EXAMPLES
    _everywhere(parser, None, "table")
    parser.add_argument(
        "--version", action="version", version=f"tinker-mock {version('tinker-mock')}"
    )
    commands = parser.add_subparsers(dest="client_command", metavar="COMMAND", required=True)
    _checkpoint(_command(commands, "checkpoint", "save, list, publish, delete, download, push"))
    _run(_command(commands, "run", "list runs; or sample, as `sample` does"))
    sample = _command(commands, "sample", "sample text from a model")
    _sampling(sample)
    sample.set_defaults(action=samples.sample, failure="Sampling failed")
    _train(commands)
    _plot(commands)
    _account(commands)
    _billing(_group(commands, "billing", "usage and storage"))
    _session(_group(commands, "session", "list, describe, export a trace"))
    shown = _command(commands, "version", "show the version")
    shown.add_argument("--deps", action="store_true", help="only name and version")
    shown.set_defaults(action=None)


def _everywhere(parser: argparse.ArgumentParser, none: Any, form: Any) -> None:
    """Options of every command, before it and after it; inner parsers leave earlier ones alone."""
    parser.add_argument("--api-key", default=none, help="instead of TINKER_API_KEY")
    parser.add_argument("--base-url", default=none, help="instead of TINKER_BASE_URL")
    parser.add_argument(
        "--preset", default=none, choices=sorted(PRESETS), help="behave like this client"
    )
    parser.add_argument(
        "--timeout", type=positive, default=none, metavar="MS", help="for the whole command"
    )
    parser.add_argument("-f", "--format", choices=("table", "json"), default=form)
    parser.add_argument(
        "--json",
        dest="format",
        action="store_const",
        const="json",
        default=form,
        help="as --format json",
    )


def positive(text: str) -> float:
    """A time that may pass."""
    value = float(text)
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"must be a positive number, got {text}")
    return value


def _command(commands: Commands, name: str, help_text: str) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = commands.add_parser(name, help=help_text)
    _everywhere(parser, argparse.SUPPRESS, argparse.SUPPRESS)
    return parser


def _group(commands: Commands, name: str, help_text: str) -> Commands:
    parser = _command(commands, name, help_text)
    return parser.add_subparsers(dest=f"{name}_action", metavar="ACTION", required=True)


def _action(actions: Commands, name: str, action: Action, failure: str) -> argparse.ArgumentParser:
    parser = _command(actions, name, (action.__doc__ or "").partition("\n")[0])
    parser.set_defaults(action=action, failure=failure)
    return parser


def _on_path(actions: Commands, name: str, action: Action, failure: str) -> argparse.ArgumentParser:
    parser = _action(actions, name, action, failure)
    parser.add_argument("path", metavar="PATH", help="tinker://RUN/KIND/NAME")
    return parser


def _listing(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--limit", type=int, default=20, help="0 is all")
    parser.add_argument("--offset", type=int, default=0)


def _scope(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--access-scope",
        choices=("owned", "accessible"),
        help="accessible: also others' that you may read",
    )


def _checkpoint(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--base-model", help="save a fresh adapter on this model")
    parser.add_argument("--model-path", help="save again what is at this tinker:// path")
    parser.add_argument("--name", help="the checkpoint's name")
    parser.add_argument("--output", help="where to write what was saved (JSON)")
    parser.add_argument("--rank", type=int, default=32)
    parser.add_argument("--seed", type=int)
    for part in ("mlp", "attn", "unembed"):
        parser.add_argument(f"--train-{part}", action=argparse.BooleanOptionalAction, default=True)
    parser.set_defaults(action=checkpoints.save, failure="Checkpoint failed")
    actions = parser.add_subparsers(dest="checkpoint_action", metavar="ACTION")
    listing = _action(actions, "list", checkpoints.list_all, "List failed")
    listing.add_argument("--run-id", help="only of this run")
    _listing(listing)
    _on_path(actions, "info", checkpoints.info, "Info failed")
    _on_path(actions, "publish", checkpoints.publish, "Publish failed")
    _on_path(actions, "unpublish", checkpoints.unpublish, "Unpublish failed")
    ttl = _on_path(actions, "set-ttl", checkpoints.set_ttl, "Setting the TTL failed")
    ttl.add_argument("--ttl", type=int, metavar="SECONDS")
    ttl.add_argument("--remove", action="store_true", help="never expire")
    _removal(_action(actions, "delete", checkpoints.delete, "Delete failed"))
    fetching = _on_path(actions, "download", checkpoints.download, "Download failed")
    fetching.add_argument("-o", "--output", help="directory to make it in")
    fetching.add_argument("--force", action="store_true", help="replace what is there")
    fetching.add_argument("--sha256", help="checksum the archive must have")
    _pushing(_on_path(actions, "push-hf", hub.push, "Push failed"))


def _removal(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("paths", nargs="*", metavar="PATH")
    parser.add_argument("-y", "--yes", action="store_true", help="do not ask")
    parser.add_argument("--run-id", help="instead of paths: all of this run …")
    parser.add_argument("--type", choices=("weights", "sampler_weights"), help="… of this kind")
    parser.add_argument("--before", metavar="TIME", help="… made before (ISO 8601, UTC)")
    parser.add_argument("--after", metavar="TIME", help="… made after (ISO 8601, UTC)")


def _pushing(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("-r", "--repo", help="OWNER/NAME on the Hub; default: from the run")
    parser.add_argument("--public", action="store_true", help="everybody may read it")
    parser.add_argument("--revision", help="branch to push to")
    parser.add_argument("--token", help="instead of HF_TOKEN and huggingface-cli's login")
    parser.add_argument("--commit-message")
    parser.add_argument("--create-pr", action="store_true", help="propose it only")
    parser.add_argument("--allow-pattern", action="append", help="only such files; repeatable")
    parser.add_argument("--ignore-pattern", action="append", help="no such files; repeatable")
    parser.add_argument("--no-model-card", action="store_true", help="make no README.md")
    parser.add_argument("--dry-run", metavar="DIR", help="only prepare the folder there")


def _run(parser: argparse.ArgumentParser) -> None:
    _sampling(parser)
    parser.set_defaults(action=samples.sample, failure="Sampling failed")
    actions = parser.add_subparsers(dest="run_action", metavar="ACTION")
    listing = _action(actions, "list", runs.list_all, "List failed")
    _listing(listing)
    _scope(listing)
    listing.add_argument("--project", help="only of this project")
    info = _action(actions, "info", runs.info, "Info failed")
    info.add_argument("run_id", metavar="RUN")
    _scope(info)


def _sampling(parser: argparse.ArgumentParser) -> None:
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
    parser.add_argument("--stop", action="append", help="end at this text; repeatable")
    parser.add_argument("--output", help="write to a file")


def _train(commands: Commands) -> None:
    parser = _action(commands, "train", training.train, "Training failed")
    parser.add_argument("data", metavar="FILE", help="JSONL: tokens; text; or prompt, completion")
    parser.add_argument("--base-model", required=True)
    parser.add_argument("--rank", type=int, default=32)
    parser.add_argument("--seed", type=int)
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--batch-size", type=int, default=8)
    parser.add_argument("--learning-rate", type=float, default=1e-4)
    parser.add_argument("--tokenizer", help="whose tokenizer to use, if not the model's")
    parser.add_argument("--metrics", metavar="FILE", help="a line of JSON after each step")
    parser.add_argument("--name", help="save the weights under this name at the end")


def _plot(commands: Commands) -> None:
    parser: argparse.ArgumentParser = _command(commands, "plot", "draw metrics.jsonl here")
    parser.add_argument("file", metavar="FILE", help="lines of JSON objects, or - for the input")
    parser.add_argument("--metric", action="append", help="only these; repeatable")
    parser.add_argument("--height", type=int, default=10, help="lines a chart")
    parser.add_argument("--width", type=int, help="columns (default: the terminal's)")
    parser.add_argument("--follow", action="store_true", help="draw anew as the file grows")
    parser.set_defaults(action=plot.plot, failure="Plot failed", local=True)


def _account(commands: Commands) -> None:
    auth = _group(commands, "auth", "whose key this is, and whether it works")
    _action(auth, "status", account.status, "Status failed")
    _action(auth, "whoami", account.whoami, "Whoami failed")
    models = _group(commands, "model", "models on offer")
    _action(models, "list", account.models, "List failed")


def _billing(actions: Commands) -> None:
    usage = _action(actions, "usage", billing.usage, "Usage failed")
    usage.add_argument("starting_on", metavar="START", help="RFC 3339, at a full hour UTC")
    usage.add_argument("ending_before", metavar="END", help="at most 14 days later")
    usage.add_argument("--csv", metavar="FILE", help="rows as CSV; - for the output")
    usage.add_argument("--sessions-csv", metavar="FILE", help="the sessions' metadata as CSV")
    storage = _action(actions, "checkpoint-storage", billing.storage, "Storage failed")
    storage.add_argument("--project", help="only of this project")


def _session(actions: Commands) -> None:
    listing = _action(actions, "list", sessions.list_all, "List failed")
    _listing(listing)
    _scope(listing)
    info = _action(actions, "info", sessions.info, "Info failed")
    info.add_argument("session_id", metavar="SESSION")
    trace = _action(actions, "export-trace", sessions.export_trace, "Export failed")
    trace.add_argument("session_id", metavar="SESSION")
    trace.add_argument("-o", "--output", help="file (default: SESSION.pftrace)")
    trace.add_argument("--url-only", action="store_true", help="only print the link")
