"""Recording: a client tells a story to a mock, whose journal becomes the cassette."""

import json
import os
import subprocess
import sys
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

import httpx
import yaml

from conformance.suite.audit import environment
from conformance.suite.mock_process import mock_server

from .stories import STORIES
from .tape import Cassette, interactions

TELLERS = Path(__file__).with_name("tellers.py")
SEED = 7
TIME_LIMIT = 120


class StoryFailedError(RuntimeError):
    """A client did not reach the end of its story; the message has its output."""


def record_all(
    folder: Path, clients: Iterable[str], stories: Iterable[str] = STORIES, seed: int = SEED
) -> list[Path]:
    """Record each story by each client, each against a fresh mock of the same seed.

    A client is `tinker-VERSION` (a real SDK release) or a preset of the reference client.
    """
    stories = list(stories)
    return [_record(folder, client, story, seed) for client in clients for story in stories]


def _record(folder: Path, client: str, story: str, seed: int) -> Path:
    with mock_server(["--seed", str(seed)]) as url:
        values = tell(client, story, url)
        exported = httpx.get(f"{url}/_mock/journal/export", params={"format": "cassette"})
        version = httpx.get(f"{url}/_mock/state").headers.get("server", "tinker-mock")
    exported.raise_for_status()
    recorded = yaml.safe_load(exported.content)["interactions"]
    cassette = Cassette(
        {
            "story": story,
            "client": client,
            "server": version,
            "seed": seed,
            "recorded": datetime.now(UTC).date().isoformat(),
        },
        values,
        list(interactions(recorded)),
    )
    path = folder / client / f"{story}.yaml"
    cassette.write(path)
    return path


def tell(client: str, story: str, url: str) -> dict[str, object]:
    """Tell one story in a process of its own; what it returned. Raises `StoryFailedError`."""
    python, variables = _process(client)
    name = "tinker" if client.startswith("tinker-") else client
    finished = subprocess.run(
        [python, str(TELLERS), name, story, url],
        env=variables,
        capture_output=True,
        text=True,
        timeout=TIME_LIMIT,
        check=False,
    )
    if finished.returncode != 0 or not finished.stdout.strip():
        raise StoryFailedError(f"{client} in {story}: {finished.stderr[-1500:]}")
    values: dict[str, object] = json.loads(finished.stdout.strip().splitlines()[-1])
    return values


def _process(client: str) -> tuple[str, dict[str, str]]:
    if client.startswith("tinker-"):
        return environment.process(client.removeprefix("tinker-"), TINKER_TELEMETRY="0")
    return sys.executable, {**os.environ, "TINKER_TELEMETRY": "0"}
