"""Servers that end, one way or another, and those that go on with what they owned."""

import asyncio
import os
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from tests.bench.crash import Server, Wire, crash
from tests.server.cluster.conftest import Api
from tests.server.cluster.test_one_service import batch
from tinker_mock.suite.postgres import postgres


def test_every_acknowledged_operation_runs_exactly_once_and_in_order(store: str) -> None:
    """A short form of `make crash`."""
    assert crash(("--store", store), points=20, clients=4, seed=7, longest=0.4, servers=3) > 0


def test_a_server_that_starts_again_has_everything(store: str) -> None:
    server = Server("--seed", "3", "--store", store)
    server.start()
    api = Api(server)
    model = api.model(api.session())
    before = api.outcome(api.submit("forward_backward", batch(model, 1)))
    server.end(signal.SIGTERM)
    server.start()
    api = Api(server)
    assert api.outcome(api.submit("forward_backward", batch(model, 1))) == before
    api.outcome(api.submit("forward_backward", batch(model, 2)))
    server.end(signal.SIGTERM)


def test_a_server_that_stood_still_is_replaced_and_ends(store: str) -> None:
    """Its lease has run out: the other owns what it owned, and it must not go on."""
    frozen, alive = Server("--seed", "3", "--store", store), Server("--seed", "3", "--store", store)
    frozen.start()
    api = Api(frozen)
    model = api.model(api.session())
    loss = api.outcome(api.submit("forward_backward", batch(model, 1)))["metrics"]
    alive.start()
    other = Api(alive)
    assert frozen.process is not None
    os.kill(frozen.process.pid, signal.SIGSTOP)
    began = time.monotonic()
    again = other.outcome(other.submit("forward_backward", batch(model, 1)))["metrics"]
    assert again == loss
    assert time.monotonic() - began < 15.0
    os.kill(frozen.process.pid, signal.SIGCONT)
    frozen.wait(15.0)
    assert frozen.process.returncode == 75
    assert [one["units"] for one in other.get("/_mock/state")["servers"]] == [2]
    alive.end(signal.SIGTERM)


def test_a_server_that_is_stopped_hands_over_at_once(store: str) -> None:
    leaving, staying = (Server("--seed", "3", "--store", store) for _ in range(2))
    leaving.start()
    api = Api(leaving)
    model = api.model(api.session())
    staying.start()
    other = Api(staying)
    leaving.end(signal.SIGTERM)
    began = time.monotonic()
    other.outcome(other.submit("forward_backward", batch(model, 1)))
    assert time.monotonic() - began < 3.0
    staying.end(signal.SIGTERM)


def test_a_database_that_is_away_for_a_while_is_waited_for() -> None:
    """Requests are refused so that clients repeat them; nobody is taken for gone."""
    with postgres() as database, ThreadPoolExecutor() as threads:
        servers = [Server("--seed", "3", "--store", database.address) for _ in range(2)]
        for server in servers:
            server.start()
        one, two = map(Api, servers)
        model = one.model(one.session())
        one.outcome(one.submit("forward_backward", batch(model, 1)))
        before = {each["id"] for each in one.get("/_mock/state")["servers"]}
        restarted = threads.submit(database.restart)
        answered = [
            api.http.post("/api/v1/forward_backward", json=batch(model, number)).status_code
            for number in range(2, 12)
            for api in (one, two)
        ]
        restarted.result()
        assert set(answered) <= {200, 503}
        wire = Wire([server.port for server in servers], "tml-shared")

        async def again() -> list[Any]:
            told = []
            for number in range(2, 13):
                asked = await wire.post("forward_backward", batch(model, number))
                told.append(await wire.post("retrieve_future", {"request_id": asked["request_id"]}))
            wire.close()
            return told

        assert not [told for told in asyncio.run(again()) if "error" in told]
        assert {each["id"] for each in two.get("/_mock/state")["servers"]} == before
        for server in servers:
            server.end(signal.SIGTERM)
