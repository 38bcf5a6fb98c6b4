"""Recording: a client runs programs against a mock, and what they said becomes cassettes.

vcrpy records the clients it reaches, the mock's journal all others.
"""

import subprocess
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import httpx

from tinker_mock.suite.cassettes.cassette import (
    Cassette,
    CassetteError,
    Interaction,
    cassette_text,
    interactions,
    load_yaml,
    read_cassette,
)
from tinker_mock.suite.cassettes.client_process import (
    ClientProcess,
    ProgramFailedError,
    reached_by_vcrpy,
)
from tinker_mock.suite.cassettes.driver import KEY
from tinker_mock.suite.cassettes.stories import IN_FULL, STORIES, play, told_by
from tinker_mock.suite.cassettes.traffic import journal_of, same_but_for_times, settled
from tinker_mock.suite.mock_process import NO_TOKENIZERS, mock_server

SEED = 7
MOCK = f"tinker-mock {version('tinker-mock')}"
ORIGIN = "http://tinker"
"""Where links in answers lead: the port of a recording is nobody's."""


def record_client(
    folder: Path, client: str, programs: Iterable[str] | None = None, seed: int = SEED
) -> Iterator[Path]:
    """Record each program by one client, the mock as fresh for each as after its start.

    Default: all that the client tells. What a release cannot do is left out, and its cassette
    removed. Programs that need flags of the mock get one with these. Gives the path of each
    cassette; a recording that differs from the one there only in its times changes nothing.
    Raises `ProgramFailedError` at the end for those that broke.
    """
    wanted = list(told_by(client) if programs is None else programs)
    failures: list[str] = []
    for options in sorted({STORIES[name].options for name in wanted}):
        chosen = [name for name in wanted if STORIES[name].options == options]
        arguments = ["--seed", str(seed), "--base-url", ORIGIN, *options]
        server = mock_server(arguments, environment=NO_TOKENIZERS)
        with server as url, ClientProcess(client, url) as process:
            for program in chosen:
                path = cassette_path(folder, client, program)
                try:
                    cassette = recorded(process, url, client, program, seed)
                except ProgramFailedError as failed:
                    failures.append(str(failed))
                    continue
                if cassette is None:
                    path.unlink(missing_ok=True)
                    continue
                _keep(path, cassette)
                yield path
    if failures:
        raise ProgramFailedError("\n".join(failures))


def cassette_path(folder: Path, client: str, program: str) -> Path:
    """The releases that tell only a few stories are compressed."""
    compressed = client.startswith("tinker-") and client not in IN_FULL
    return folder / client / f"{program}.yaml{'.gz' if compressed else ''}"


def recorded(
    process: ClientProcess, url: str, client: str, program: str, seed: int
) -> Cassette | None:
    """One program by a client, or `None` if its release cannot do that."""
    set_up(url, program)
    if reached_by_vcrpy(client):
        with tempfile.TemporaryDirectory() as scratch:
            file = Path(scratch) / "cassette.yaml"
            values = process.run(program, file)
            exchanges = vcrpy_recorded(file)
        recorder = f"vcrpy {version('vcrpy')}"
    else:
        values = process.run(program)
        exchanges, recorder = journal_of(url), "journal"
    if "absent" in values:
        return None
    told = {"program": program, **_provenance(client, MOCK, seed, recorder)}
    return Cassette(told, values, exchanges)


def vcrpy_recorded(file: Path) -> list[Interaction]:
    """What vcrpy wrote; it writes nothing where nothing was said."""
    if not file.exists():
        return []
    return settled(interactions(load_yaml(cassette_text(file))["interactions"]))


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
        exchanges = journal_of(url)
    if ended:
        raise ProgramFailedError(f"{command[0]} ended with {ended}; nothing was kept")
    recorder = "proxy" if upstream else "journal"
    told = _provenance(" ".join(command), upstream or MOCK, seed, recorder)
    Cassette(told, {}, exchanges).write(path)
    return len(exchanges)


def _provenance(client: str, server: str, seed: int, recorder: str) -> dict[str, object]:
    return {
        "client": client,
        "server": server,
        "recorder": recorder,
        "seed": seed,
        "recorded": datetime.now(UTC).date().isoformat(),
    }


def _keep(path: Path, cassette: Cassette) -> None:
    with suppress(CassetteError):
        if same_but_for_times(read_cassette(path), cassette):
            return
    cassette.write(path)
