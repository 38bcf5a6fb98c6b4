"""What waits for its turn, and what is kept of results, has room for a share each."""

from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from tests.server.conftest import Api, sample, training_step, update
from tinker_mock.server.errors import TooManyRequests
from tinker_mock.server.promises.room import RECORD, Room
from tinker_mock.server.serving.in_thread import RunningServer
from tinker_mock.server.settings import Settings
from tinker_mock.server.state.promise import Promise

MIB = 1 << 20
PADDING = "y" * 200_000
"""Of a field that the contract does not know: it makes a request large."""


@pytest.fixture
def server() -> Iterator[RunningServer]:
    with RunningServer(Settings(port=0, max_queued=2, max_results=1, long_poll=5)) as running:
        yield running


@pytest.fixture
def tenants(server: RunningServer) -> Iterator[list[Api]]:
    with ExitStack() as stack:
        yield [
            stack.enter_context(api.http) and api
            for api in (Api(server, f"tml-room-{number}") for number in range(3))
        ]


def fill(api: Api, model: str) -> int:
    """Submit behind a gap until there is no room; how many were taken."""
    for seq_id in range(2, 100):
        answer = api.post("optim_step", update(model, seq_id) | {"x": PADDING})
        if answer.status_code == 429:
            assert answer.headers["retry-after"] == "1"
            assert "--max-queued" in answer.json()["detail"]
            return seq_id - 2
        assert answer.status_code == 200
    raise AssertionError("it is not bounded")


def patient(api: Api, body: dict[str, Any]) -> Any:
    """The result of a step, sent as SDKs do: again after each 429."""
    answer = api.post("optim_step", body)
    while answer.status_code == 429:
        answer = api.post("optim_step", body)
    return api.outcome(answer.json()["request_id"])


def test_what_waits_behind_a_gap_is_bounded_and_the_gap_can_be_closed(
    server: RunningServer, tenants: list[Api]
) -> None:
    one, other, _ = tenants
    model, same = one.model(), other.model()
    taken = fill(one, model)
    assert taken == MIB // (len(PADDING) + RECORD)
    others = fill(other, same)
    assert 1 <= others <= taken
    closing = one.post("optim_step", update(model, 1) | {"x": PADDING * 4})
    assert closing.status_code == 200
    assert "metrics" in patient(one, update(model, taken + 2))
    other.submit("optim_step", update(same, 1))
    assert "metrics" in patient(other, update(same, others + 2))
    assert patient(other, update(same, others + 3) | {"x": PADDING})
    held = server.call(_held(server))
    assert held <= len(PADDING) + 4 * RECORD


async def _held(server: RunningServer) -> int:
    return server.mock.backend.promises.room.held


def test_results_give_way_when_their_room_is_used_up(tenants: list[Api]) -> None:
    api = tenants[0]
    sampler, first = api.sampler(), None
    requests = []
    for seq_id in range(1, 40):
        asked = {"max_tokens": 2000, "stop": []}
        body = sample(sampler, seq_id, num_samples=4, sampling_params=asked)
        requests.append(api.submit("asample", body))
        result = api.outcome(requests[-1])
        first = first or result
    gone = [api.post("retrieve_future", {"request_id": one}).status_code for one in requests]
    assert gone[-1] == 200
    assert gone[0] in (404, 410)
    assert 5 < gone.count(200) < 30


def promise(tenant: str, weight: int, request_id: str = "r") -> Promise:
    told: dict[str, Any] = {"payload": {}, "submitted_at": 0.0, "weight": weight}
    return Promise(request_id, "optim_step", tenant, "lane", 1, "", **told)


def test_a_newcomer_finds_room_however_many_are_there() -> None:
    """All together hold a harmonic sum at the most."""
    room, names, count = Room(8), [f"tenant-{number}" for number in range(100)], 0
    for name in names:
        for _ in range(10_000):
            try:
                room.check(name, 10_000)
            except TooManyRequests:
                break
            count += 1
            room.enter(promise(name, 10_000, f"request-{count}"))
    sums = sum(1 / max(2, number) for number in range(1, 101))
    assert 8 * MIB < room.held < 8 * MIB * sums + 100 * (10_000 + RECORD)


def test_room_is_given_back() -> None:
    room, one = Room(1), promise("a", 400_000)
    room.check("a", 400_000)
    room.enter(one)
    with pytest.raises(TooManyRequests):
        room.check("a", 400_000)
    room.leave(one)
    assert room.held == 0
    room.check("a", 400_000)


def test_a_step_that_is_larger_than_its_share_is_taken_alone(tenants: list[Api]) -> None:
    api = tenants[2]
    body = training_step(api.model(), 1) | {"x": PADDING * 8}
    assert "metrics" in api.done("forward_backward", body)
