"""Servers that end, one way or another, and those that go on with what they owned."""

import os
import signal
import time

from tests.bench.crash import Server, crash
from tests.server.cluster.conftest import Api
from tests.server.cluster.test_one_service import batch


def test_every_acknowledged_operation_runs_exactly_once_and_in_order(store: str) -> None:
    """A short form of `make crash`."""
    assert crash(("--store", store), points=6, clients=4, seed=7, longest=1.0, servers=3) > 0


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
    assert frozen.process.wait(15.0) == 75
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
