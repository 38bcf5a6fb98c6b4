"""`tinker-mock record`: make cassettes anew."""

import argparse
from pathlib import Path

from .command import DEFAULT_CLIENTS, FOLDER
from .recorder import SEED, record_all
from .stories import STORIES


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `record`."""
    parser.description = "Let clients tell stories to the mock and keep what was said."
    parser.add_argument(
        "--client",
        action="append",
        help=f"tinker-VERSION or a preset (default: {', '.join(DEFAULT_CLIENTS)})",
    )
    parser.add_argument("--story", action="append", choices=sorted(STORIES))
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--output", type=Path, default=FOLDER)


def run(arguments: argparse.Namespace) -> int:
    """Record; the real SDKs need the environment of `make sdk-env`."""
    clients = arguments.client or DEFAULT_CLIENTS
    for path in record_all(arguments.output, clients, arguments.story or STORIES, arguments.seed):
        print(path)
    return 0
