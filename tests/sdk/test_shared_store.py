"""An SDK that trains through a load balancer over three servers sees one service."""

import json
import signal
import subprocess
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.bench.crash import Server
from tests.bench.round_robin import RoundRobin
from tinker_mock.suite.postgres import NoPostgres, postgres
from tinker_mock.suite.sdk.environment import EnvironmentMissing, newest, process

psycopg = pytest.importorskip("psycopg")
SCRIPT = Path(__file__).with_name("restart_client.py")
STEPS = 7
SEED = ("--seed", "5")


@pytest.fixture(scope="module")
def store() -> Iterator[str]:
    with ExitStack() as stack:
        try:
            address = stack.enter_context(postgres()).address
        except NoPostgres as error:
            pytest.skip(str(error))
        yield address


def train(port: int, version: str, victims: Iterator[Server]) -> list[dict[str, Any]]:
    """What a user of that release sees, step by step; after each, a server is killed."""
    python, environment = process(version, TINKER_TELEMETRY="0")
    command = [python, str(SCRIPT), f"http://127.0.0.1:{port}", str(STEPS)]
    seen = []
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as user:
        assert user.stdout is not None
        assert user.stderr is not None
        said: list[str] = []
        reader = threading.Thread(target=lambda: said.extend(user.stderr or ()), daemon=True)
        reader.start()
        for line in user.stdout:
            seen.append(json.loads(line))
            victim = next(victims, None)
            if victim is not None:
                victim.end(signal.SIGKILL)
                victim.start()
        reader.join()
    assert user.returncode == 0, "".join(said)[-3000:]
    return seen


@pytest.mark.parametrize("version", ["0.7.0", newest()])
def test_killing_any_server_is_not_noticed(store: str, version: str) -> None:
    try:
        process(version)
    except EnvironmentMissing as error:
        pytest.skip(str(error))
    schema = f"sdk_{version.replace('.', '_')}"
    with psycopg.connect(store) as connection:
        connection.execute(f"CREATE SCHEMA {schema}")
    place = f"{store}?options=-csearch_path%3D{schema}"
    three = [Server(*SEED, "--store", place) for _ in range(3)]
    for server in three:
        server.start()
    with RoundRobin([server.port for server in three]) as balancer:
        shared = train(balancer.port, version, iter(three))
    for server in three:
        server.end(signal.SIGTERM)
    assert all(balancer.turns.values())
    alone = Server(*SEED)
    alone.start()
    steady = train(alone.port, version, iter(()))
    alone.end(signal.SIGTERM)
    assert shared == steady
    assert len(shared) == STEPS
