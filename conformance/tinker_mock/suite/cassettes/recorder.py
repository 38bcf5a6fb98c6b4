"""Recording: a client runs a program against a mock, whose journal becomes the cassette."""

import base64
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import httpx

from tinker_mock.suite.cassettes.cassette import Cassette, Interaction, interactions, load_yaml
from tinker_mock.suite.cassettes.drivers import KEY
from tinker_mock.suite.cassettes.stories import STORIES, play
from tinker_mock.suite.mock_process import NO_TOKENIZERS, mock_server
from tinker_mock.suite.sdk import environment

DRIVERS = Path(__file__).with_name("drivers.py")
SEED = 7
FOLDER = re.compile(r'(?<="tokenizer_id":")/[^"]*')
TOKEN = re.compile(r'(?<="jwt":")<redacted[^"]*')
UNSIGNED = ".".join(
    base64.urlsafe_b64encode(part).decode().rstrip("=")
    for part in (b'{"alg":"none"}', b'{"sub":"nobody","org_id":"none","exp":4102444800}', b"-")
)
"""What a cassette has for a token, which the journal does not keep: it is valid nowhere."""
NOWHERE = "tokenizer"
"""What a cassette has for the folder of a tokenizer: it is of the machine that recorded."""
MOCK = f"tinker-mock {version('tinker-mock')}"


class ProgramFailedError(RuntimeError):
    """A client did not reach the end of its program; the message has its output."""


def record_all(
    folder: Path,
    clients: Iterable[str],
    programs: Iterable[str] = STORIES,
    seed: int = SEED,
    *,
    compressed: bool = False,
) -> Iterator[Path]:
    """Record each program by each client, the mock as fresh for each as after its start.

    A client is `tinker-VERSION` (a real SDK release) or a preset of the reference client. What a
    release cannot do is left out. Programs that need flags of the mock get one with these. Raises
    `ProgramFailedError` at the end for those that broke.
    """
    wanted = list(programs)
    flags = sorted({STORIES[name].options for name in wanted})
    failures: list[str] = []
    suffix = ".gz" if compressed else ""
    for client in clients:
        for options in flags:
            chosen = [name for name in wanted if STORIES[name].options == options]
            yield from _recorded(folder, client, chosen, seed, options, failures, suffix)
    if failures:
        raise ProgramFailedError("\n".join(failures))


def _recorded(
    folder: Path,
    client: str,
    programs: list[str],
    seed: int,
    options: tuple[str, ...],
    failures: list[str],
    suffix: str,
) -> Iterator[Path]:
    arguments = ["--seed", str(seed), *options]
    server = mock_server(arguments, environment=NO_TOKENIZERS)
    with server as url, ClientProcess(client, url) as process:
        for program in programs:
            set_up(url, program)
            try:
                values = process.run(program)
            except ProgramFailedError as failed:
                failures.append(str(failed))
                continue
            if "absent" in values:
                continue
            provenance = {"program": program, **_provenance(client, MOCK, seed)}
            path = folder / client / f"{program}.yaml{suffix}"
            Cassette(provenance, values, _exported(url)).write(path)
            yield path


def set_up(url: str, program: str) -> None:
    """A mock as fresh as after its start, in the program's scenario."""
    httpx.post(f"{url}/_mock/reset", timeout=60).raise_for_status()
    play(url, program)


def record_program(
    path: Path,
    command: list[str],
    seed: int,
    upstream: str | None,
    environment: Mapping[str, str],
) -> int:
    """Run a program once and keep its traffic; returns how many exchanges there were.

    It talks to a fresh mock with its address and a key in TINKER_BASE_URL and TINKER_API_KEY, or
    through the proxy to `upstream` with the key it has. Raises `ProgramFailedError` if it fails.
    """
    arguments = ["--seed", str(seed)]
    if upstream:
        server = mock_server([*arguments, "--upstream", upstream], "proxy")
    else:
        server = mock_server(arguments)
    with server as url:
        variables = {"TINKER_API_KEY": KEY, **environment, "TINKER_BASE_URL": url}
        ended = subprocess.run(command, env=variables, check=False).returncode
        exchanges = _exported(url)
    if ended:
        raise ProgramFailedError(f"{command[0]} ended with {ended}; nothing was kept")
    provenance = _provenance(" ".join(command), upstream or MOCK, seed)
    Cassette(provenance, {}, exchanges).write(path)
    return len(exchanges)


def _provenance(client: str, server: str, seed: int) -> dict[str, object]:
    recorded = datetime.now(UTC).date().isoformat()
    return {"client": client, "server": server, "seed": seed, "recorded": recorded}


def _exported(url: str) -> list[Interaction]:
    """What the mock's journal has of the program."""
    answer = httpx.get(f"{url}/_mock/journal/export", params={"format": "cassette"}, timeout=60)
    answer.raise_for_status()
    text = TOKEN.sub(UNSIGNED, FOLDER.sub(NOWHERE, answer.text))
    return list(interactions(load_yaml(text)["interactions"]))


class ClientProcess:
    """A client in a process of its own, running programs on demand."""

    def __init__(self, client: str, url: str) -> None:
        self._client = client
        python, variables = _process(client)
        name = "tinker" if client.startswith("tinker-") else client
        self._process = subprocess.Popen(
            [python, str(DRIVERS), name, url],
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

    def run(self, name: str) -> dict[str, object]:
        """The values of one program. Raises `ProgramFailedError`."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(name + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        values: dict[str, object] = json.loads(line or '{"broken": "the client ended"}')
        if "broken" in values:
            raise ProgramFailedError(f"{self._client} in {name}: {values['broken']}")
        return values


def _process(client: str) -> tuple[str, dict[str, str]]:
    if client.startswith("tinker-"):
        return environment.process(client.removeprefix("tinker-"), TINKER_TELEMETRY="0")
    return sys.executable, {**os.environ, "TINKER_TELEMETRY": "0"}
