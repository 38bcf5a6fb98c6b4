"""Copies of what all servers hold, and going back to them."""

import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Event
from typing import Any

import pytest

from tests.bench.crash import Server
from tests.server.cluster.conftest import Api
from tests.server.cluster.test_one_service import batch, saved


@pytest.fixture
def two(store: str) -> Iterator[list[Api]]:
    """Clients of one key at each of two servers."""
    servers = [Server("--seed", "5", "--long-poll", "5", "--store", store) for _ in range(2)]
    for server in servers:
        server.start()
    yield [Api(server) for server in servers]
    for server in servers:
        server.end(signal.SIGTERM)


def take(api: Api, name: str) -> None:
    answer = api.http.post("/_mock/snapshots", json={"name": name})
    assert (answer.status_code, answer.json().get("id")) == (201, name), answer.text


def restore(api: Api, name: str, status: int = 204) -> None:
    answer = api.http.post(f"/_mock/snapshots/{name}/restore")
    assert answer.status_code == status, answer.text


def step(api: Api, model: str, number: int) -> list[Any]:
    """Loss and metrics of two operations."""
    rate = {"model_id": model, "seq_id": number + 1, "adam_params": {"learning_rate": 1e-2}}
    asked = [api.submit("forward_backward", batch(model, number)), api.submit("optim_step", rate)]
    return [api.outcome(one)["metrics"] for one in asked]


def names(api: Api) -> list[str]:
    return [one["id"] for one in api.get("/_mock/snapshots")["snapshots"]]


def trained(two: list[Api]) -> list[str]:
    """Models that different servers own, after a step each."""
    models = [api.model(api.session()) for api in two]
    for model in models:
        step(two[0], model, 1)
    return models


def test_what_follows_is_the_same_again_and_after_a_restart(two: list[Api]) -> None:
    one, other = two
    models = trained(two)
    path = saved(one, models[1], 3, "kept")

    def further(through: list[Api]) -> list[Any]:
        told = [step(through[0], models[0], 3), step(through[1], models[1], 4)]
        return [*told, through[0].session(), saved(through[1], models[0], 5, "later")]

    take(one, "before")
    assert names(other) == ["before"]
    first = further([other, one])
    restore(other, "before")
    assert further([one, other]) == first
    for api in two:
        api.server.end(signal.SIGTERM)
    for api in two:
        api.server.start()
    assert names(one) == ["before"]
    restore(one, "before")
    found = other.get("/api/v1/checkpoints")["checkpoints"]
    assert [each["tinker_path"] for each in found] == [path]
    assert further([other, one]) == first
    assert one.http.delete("/_mock/snapshots/before").status_code == 204
    assert names(other) == []
    restore(other, "before", 404)


def test_who_waits_and_who_goes_on_meanwhile(two: list[Api]) -> None:
    """A poll that is parked is told to repeat; what was under way is not in the state."""
    one, other = two
    models = trained(two)
    waiting = other.submit("forward_backward", batch(models[0], 4))
    take(one, "before")
    first = step(one, models[1], 3)
    over = Event()

    def poll() -> int:
        told = {"request_id": waiting}
        return other.http.post("/api/v1/retrieve_future", json=told).status_code

    def go_on() -> set[int]:
        client, number, statuses = Api(one.server), 5, set()
        while not over.is_set():
            answer = client.http.post("/api/v1/forward_backward", json=batch(models[1], number))
            statuses.add(answer.status_code)
            number += 1
        return statuses

    with ThreadPoolExecutor() as threads:
        polled, went_on = threads.submit(poll), threads.submit(go_on)
        while not any(at["parked"] for at in one.get("/_mock/state")["servers"]):
            pass
        for _ in range(3):
            restore(one, "before")
        over.set()
        assert went_on.result() <= {200, 503}
        assert polled.result() in (408, 503)
    restore(other, "before")
    assert step(other, models[1], 3) == first
    one.outcome(one.submit("forward_backward", batch(models[0], 3)))
    assert other.outcome(waiting)["metrics"]
