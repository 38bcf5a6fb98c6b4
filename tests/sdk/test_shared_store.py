"""An SDK that trains through a load balancer over three servers sees one service."""

import signal
from collections.abc import Iterator
from typing import Any

import pytest

from tests.bench.crash import Server
from tests.bench.round_robin import RoundRobin
from tests.sdk import onlooking
from tinker_mock.suite.sdk.environment import EnvironmentMissing, newest, process

psycopg = pytest.importorskip("psycopg")
STEPS = 7
SEED = ("--seed", "5")


def train(port: int, version: str, victims: Iterator[Server]) -> list[dict[str, Any]]:
    """What a user of that release sees, step by step; after each, a server is killed."""

    def kill(_: dict[str, Any]) -> None:
        victim = next(victims, None)
        if victim is not None:
            victim.end(signal.SIGKILL)
            victim.start()

    return onlooking.train(port, version, STEPS, kill)


@pytest.mark.parametrize("version", ["0.7.0", "0.24.1", newest()])
def test_killing_any_server_is_not_noticed(database: str, version: str) -> None:
    try:
        process(version)
    except EnvironmentMissing as error:
        pytest.skip(str(error))
    schema = f"sdk_{version.replace('.', '_')}"
    with psycopg.connect(database) as connection:
        connection.execute(f"CREATE SCHEMA {schema}")
    place = f"{database}?options=-csearch_path%3D{schema}"
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
