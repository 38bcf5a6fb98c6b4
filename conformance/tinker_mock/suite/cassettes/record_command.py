"""`tinker-mock record`: keep what a client and a server say to each other.

Without a COMMAND the known clients run our own short programs anew; vcrpy records those whose
requests go through httpx, the mock's journal the others. What comes out as it was, but for times,
is left alone. With a COMMAND, that is run once, against a fresh mock or, through the validating
proxy, against --upstream; whatever SDK or language it is written in, its traffic becomes one
cassette without keys.

examples:
  tinker-mock record --output mine.yaml -- python train.py
  tinker-mock record --upstream https://my-server.example --output mine.yaml -- python train.py
  tinker-mock replay --target http://127.0.0.1:8765 mine.yaml
"""

import argparse
import os
import queue
import sys
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

from tinker_mock.suite.cassettes.client_process import ProgramFailedError
from tinker_mock.suite.cassettes.recorder import SEED, record_client, record_program
from tinker_mock.suite.cassettes.replay_command import FOLDER
from tinker_mock.suite.cassettes.stories import IN_FULL, SMALL, STORIES, tellers
from tinker_mock.suite.sdk.environment import EnvironmentMissing


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `record`."""
    parser.add_argument(
        "--client",
        action="append",
        help="tinker-VERSION, a preset of the reference client, openai or anthropic "
        f"(default: {', '.join(IN_FULL)})",
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
        help="everybody: streams of the reference client, the text clients, and every other "
        f"release, compressed, with {', '.join(SMALL)}",
    )
    parser.add_argument("--jobs", type=int, default=2, help="clients at the same time (2)")
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
    clients = arguments.client or (tellers() if arguments.all else IN_FULL)
    try:
        for path in _all_recorded(clients, arguments):
            print(path, flush=True)
    except EnvironmentMissing as missing:
        print(f"tinker-mock record: {missing}", file=sys.stderr)
        return 2
    except ProgramFailedError as failed:
        print(f"tinker-mock record: {failed}", file=sys.stderr)
        return 1
    return 0


def _all_recorded(clients: Sequence[str], arguments: argparse.Namespace) -> Iterator[Path]:
    """The paths of all cassettes as they are done, `--jobs` clients at a time.

    Raises the first error, `ProgramFailedError` after all others are done.
    """
    done: queue.Queue[Path | Exception | None] = queue.Queue()
    waiting: queue.SimpleQueue[str] = queue.SimpleQueue()
    for client in clients:
        waiting.put(client)

    def work() -> None:
        while not waiting.empty():
            try:
                client = waiting.get_nowait()
                for path in record_client(
                    arguments.output, client, arguments.programs, arguments.seed
                ):
                    done.put(path)
            except queue.Empty:
                break
            except Exception as error:
                done.put(error)
        done.put(None)

    workers = max(1, min(arguments.jobs, len(clients)))
    for _ in range(workers):
        threading.Thread(target=work, daemon=True).start()
    failures = []
    while workers:
        told = done.get()
        if told is None:
            workers -= 1
        elif isinstance(told, ProgramFailedError):
            failures.append(str(told))
        elif isinstance(told, Exception):
            raise told
        else:
            yield told
    if failures:
        raise ProgramFailedError("\n".join(failures))


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
