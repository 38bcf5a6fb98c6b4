"""`tinker-mock run -- COMMAND`: a program against a mock of its own, made for this run.

The command finds the mock in TINKER_BASE_URL, OPENAI_BASE_URL and ANTHROPIC_BASE_URL, with a key
for each; a real key of yours never enters. At the end the exchanges are summed up, and the exit
code is the command's.

--intercept also answers for the service's production address, where a program hard-codes it, and
refuses every other address: what passes so needs no network. It works for programs that obey
HTTPS_PROXY and take their certificate authorities from the environment, as Python's httpx,
requests and pyqwest, curl and Node 24 do.

examples:
  tinker-mock run -- python train.py
  tinker-mock run --seed 7 --scenario rate-limited --clock auto --fail-on violation -- pytest -q
  tinker-mock run --record mine.yaml --log text -- python train.py
  tinker-mock run --intercept -- python program_with_hard_coded_address.py
"""

import argparse
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from tinker_mock.server.errors import ConfigurationError
from tinker_mock.server.serving.options import add_behaviour_options, settings_of

KEY = "tml-mock"
NOT_FOUND, NOT_EXECUTABLE = 127, 126
"""What a shell ends with in these cases."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `run`: those of `serve` that say how the mock behaves, and its own."""
    add_behaviour_options(parser)
    add = parser.add_argument
    add("--record", type=Path, metavar="FILE", help="keep the traffic as a cassette")
    add(
        "--intercept",
        action="store_true",
        help="answer for the production address too, refuse all others",
    )
    add(
        "--intercept-host",
        action="append",
        default=[],
        metavar="HOST",
        help="a further host to answer for (with --intercept)",
    )
    add("program", nargs="+", metavar="COMMAND", help="the program, after --")


def run(arguments: argparse.Namespace) -> int:
    """The command's exit code; 1 with violations under --fail-on, 2 for what cannot work,
    126 or 127 where the command cannot be run."""
    try:
        arguments.port, arguments.host = 0, "127.0.0.1"
        if arguments.intercept_host and not arguments.intercept:
            raise ConfigurationError("--intercept-host needs --intercept")
        return _run(arguments)
    except ConfigurationError as error:
        print(f"tinker-mock run: {error}", file=sys.stderr)
        return 2


def _run(arguments: argparse.Namespace) -> int:
    from tinker_mock.server.journal.request_log import request_log
    from tinker_mock.server.serving.in_thread import RunningServer

    settings = settings_of(arguments)
    with ExitStack() as stack:
        server = stack.enter_context(RunningServer(settings))
        journal = server.mock.journal
        stack.enter_context(request_log(journal, settings.log))
        variables = service_variables(server.url)
        interceptor = None
        if arguments.intercept:
            from tinker_mock.server.serving.interceptor import PRODUCTION, interception

            hosts = (*PRODUCTION, *(host.lower() for host in arguments.intercept_host))
            directory = Path(stack.enter_context(TemporaryDirectory()))
            interceptor = stack.enter_context(interception(server.settings.port, hosts, directory))
            variables |= interceptor.environment()
        code = run_command(arguments.program, variables)
        if arguments.record:
            _record(server, arguments.record)
        if interceptor is not None:
            _tell(interceptor)
        broken = server.mock.control.exit_report()
    return code or broken


def service_variables(url: str) -> dict[str, str]:
    """Where the SDKs of the three protocols look for address and key."""
    return {
        "TINKER_BASE_URL": url,
        "TINKER_API_KEY": KEY,
        "OPENAI_BASE_URL": f"{url}/oai/api/v1",
        "OPENAI_API_KEY": KEY,
        "ANTHROPIC_BASE_URL": f"{url}/anthropic/api",
        "ANTHROPIC_API_KEY": KEY,
    }


def run_command(command: list[str], variables: Mapping[str, str]) -> int:
    """Run a program to its end; its exit code, or 128 and the number of the signal that ended it.

    An interrupt of the terminal reaches the program itself, which decides; a SIGTERM is handed on.
    """
    environment = {**os.environ, **variables}
    try:
        process = subprocess.Popen(command, env=environment)
    except FileNotFoundError:
        print(f"tinker-mock run: {command[0]}: no such program", file=sys.stderr)
        return NOT_FOUND
    except OSError as error:
        print(f"tinker-mock run: {command[0]}: {error.strerror}", file=sys.stderr)
        return NOT_EXECUTABLE
    before = {
        signal.SIGINT: signal.signal(signal.SIGINT, lambda *_: None),
        signal.SIGTERM: signal.signal(signal.SIGTERM, lambda *_: process.terminate()),
    }
    try:
        code = process.wait()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    return code if code >= 0 else 128 - code


def _record(server: Any, path: Path) -> None:
    from tinker_mock.server.journal.exports import EXPORTS
    from tinker_mock.server.journal.query import Query

    _, render = EXPORTS["cassette"]

    async def rendered() -> bytes:
        return bytes(render(server.mock.journal.select(Query())))

    try:
        path.write_bytes(server.call(rendered()))
    except OSError as error:
        raise ConfigurationError(f"--record {path}: {error.strerror}") from error
    print(f"tinker-mock run: the traffic is in {path}", file=sys.stderr)


def _tell(interceptor: Any) -> None:
    from tinker_mock.server.journal.ring import counted

    caught = counted(interceptor.caught, "connection")
    print(f"tinker-mock run: {caught} to the production address answered", file=sys.stderr)
    for target, count in interceptor.refused.most_common():
        print(f"  {count:>6} x refused: {target}", file=sys.stderr)
