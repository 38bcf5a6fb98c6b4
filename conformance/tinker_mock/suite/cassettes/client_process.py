"""A client in a process of its own, which runs programs on demand."""

import json
import os
import subprocess
import sys
import threading
from pathlib import Path

from tinker_mock.contracts import parse_release
from tinker_mock.suite.sdk import environment

SCRIPT = Path(__file__).with_name("run_programs.py")
LONGEST_PROGRAM = 120.0
"""Seconds after which a program that has not ended is broken."""
FIRST_BEYOND_VCRPY = (0, 22)
"""From this release on the SDK's requests go through a transport that vcrpy does not know."""


class ProgramFailedError(RuntimeError):
    """A client did not reach the end of its program; the message has its output."""


def reached_by_vcrpy(client: str) -> bool:
    """Whether a client's requests go through httpx's own transports."""
    name, _, release = client.partition("-")
    return name != "tinker" or parse_release(release) < FIRST_BEYOND_VCRPY


class ClientProcess:
    """`client`: `tinker-VERSION` (a real SDK release), a preset, `openai` or `anthropic`.

    Raises EnvironmentMissing for a release that is not installed.
    """

    def __init__(self, client: str, url: str) -> None:
        self._client = client
        python, variables = _process(client)
        name = "tinker" if client.startswith("tinker-") else client
        self._process = subprocess.Popen(
            [python, "-P", str(SCRIPT), name, url],
            env=variables,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def __enter__(self) -> "ClientProcess":
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.communicate()

    def run(self, name: str, cassette: Path | None = None) -> dict[str, object]:
        """The values of one program; vcrpy records it into `cassette`.

        Raises `ProgramFailedError`.
        """
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        watchdog = threading.Timer(LONGEST_PROGRAM, self._process.kill)
        watchdog.start()
        try:
            order = {"program": name, "cassette": str(cassette) if cassette else None}
            self._process.stdin.write(json.dumps(order) + "\n")
            self._process.stdin.flush()
            line = self._process.stdout.readline()
        except BrokenPipeError:
            line = ""
        finally:
            watchdog.cancel()
        values: dict[str, object] = json.loads(line or '{"broken": "the client ended"}')
        if "broken" in values:
            raise ProgramFailedError(f"{self._client} in {name}: {values['broken']}")
        return values


def _process(client: str) -> tuple[str, dict[str, str]]:
    quiet = {"TINKER_TELEMETRY": "0"}
    if client.startswith("tinker-"):
        return environment.process(client.removeprefix("tinker-"), **quiet)
    return sys.executable, {**os.environ, **quiet}
