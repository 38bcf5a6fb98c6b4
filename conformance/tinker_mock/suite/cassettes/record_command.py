"""`tinker-mock record`: keep what a client and a server say to each other.

Without a COMMAND the known clients run our own short programs anew. With one, it is run once,
against a fresh mock or, through the validating proxy, against --upstream; whatever SDK or language
it is written in, its traffic becomes one cassette without keys.

examples:
  tinker-mock record --output mine.yaml -- python train.py
  tinker-mock record --upstream https://my-server.example --output mine.yaml -- python train.py
  tinker-mock replay --target http://127.0.0.1:8765 mine.yaml
"""

import argparse
import os
import sys
from itertools import chain
from pathlib import Path

from tinker_mock.suite.cassettes.recorder import (
    SEED,
    ProgramFailedError,
    record_all,
    record_program,
)
from tinker_mock.suite.cassettes.replay_command import DEFAULT_CLIENTS, FOLDER
from tinker_mock.suite.cassettes.stories import SMALL, STORIES
from tinker_mock.suite.sdk import environment
from tinker_mock.suite.sdk.environment import EnvironmentMissing


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `record`."""
    parser.add_argument(
        "--client",
        action="append",
        help=f"tinker-VERSION or a preset (default: {', '.join(DEFAULT_CLIENTS)})",
    )
    parser.add_argument(
        "--program",
        dest="programs",
        action="append",
        choices=sorted(STORIES),
        metavar="NAME",
        help=f"of {', '.join(sorted(STORIES))}",
    )
    parser.add_argument(
        "--story",
        dest="programs",
        action="append",
        choices=sorted(STORIES),
        help=argparse.SUPPRESS,
    )
    parser.add_argument(
        "--all",
        action="store_true",
        help=f"every other release too, compressed, with {', '.join(SMALL)}",
    )
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--output", type=Path, default=FOLDER, help="folder, or a COMMAND's file")
    parser.add_argument("--upstream", metavar="URL", help="record COMMAND against this server")
    parser.add_argument("program", nargs="*", metavar="COMMAND", help="a program, after --")


def run(arguments: argparse.Namespace) -> int:
    """Record; the real SDKs need the environment of `make sdk-env`."""
    if arguments.program:
        return _record_program(arguments)
    if arguments.upstream:
        print("tinker-mock record: --upstream needs a COMMAND after --", file=sys.stderr)
        return 2
    clients = arguments.client or DEFAULT_CLIENTS
    programs = arguments.programs or list(STORIES)
    full = record_all(arguments.output, clients, programs, arguments.seed)
    rest = [f"tinker-{release}" for release in environment.releases()] if arguments.all else []
    small = [one for one in rest if one not in clients]
    others = record_all(arguments.output, small, SMALL, arguments.seed, compressed=True)
    try:
        for path in chain(full, others):
            print(path, flush=True)
    except EnvironmentMissing as missing:
        print(f"tinker-mock record: {missing}", file=sys.stderr)
        return 2
    except ProgramFailedError as failed:
        print(f"tinker-mock record: {failed}", file=sys.stderr)
        return 1
    return 0


def _record_program(arguments: argparse.Namespace) -> int:
    path = arguments.output
    if path == FOLDER:
        print("tinker-mock record: name the cassette with --output FILE", file=sys.stderr)
        return 2
    if not path.parent.is_dir():
        print(f"tinker-mock record: --output {path}: there is no such folder", file=sys.stderr)
        return 2
    try:
        count = record_program(
            path, arguments.program, arguments.seed, arguments.upstream, dict(os.environ)
        )
    except ProgramFailedError as error:
        print(f"tinker-mock record: {error}", file=sys.stderr)
        return 1
    except OSError as error:
        print(f"tinker-mock record: --output {path}: {error.strerror}", file=sys.stderr)
        return 2
    print(f"{path}: {count} exchanges")
    return 0
