"""A snapshot holds everything: weights, promises in flight, ids to come."""

from typing import Any

import pytest

from tests.server.conftest import Api, sample, training_step, update
from tinker_mock.server.serving.in_thread import RunningServer


@pytest.fixture
def played(tinker_mock: RunningServer) -> Any:
    api = Api(tinker_mock, "tml-snapshots")
    with api.http:
        yield api


def snapshot(api: Api) -> str:
    key, _ = api.server.call(api.server.mock.control.take_snapshot())
    return key


def restore(api: Api, taken: str) -> None:
    api.server.call(api.server.mock.control.restore_snapshot(taken))


def further(api: Api, model: str, session: str) -> list[Any]:
    """Training, saving and sampling that depend on all that came before."""
    told = [api.done("forward_backward", training_step(model, 2))]
    told.append(api.done("optim_step", update(model, 3)))
    body = {"model_id": model, "seq_id": 4, "sampling_session_seq_id": 9}
    sampler = api.done("save_weights_for_sampler", body)["sampling_session_id"]
    told.append(api.done("asample", sample(sampler, 0)))
    return [*told, api.session(), session]


def test_what_follows_a_restore_is_what_followed_the_snapshot(played: Api) -> None:
    session = played.session()
    model = played.model(session)
    played.done("forward_backward", training_step(model, 1))
    taken = snapshot(played)
    first = further(played, model, session)
    restore(played, taken)
    assert further(played, model, session) == first
    restore(played, taken)
    assert further(played, model, session) == first


def test_work_that_waited_waits_again(played: Api) -> None:
    model = played.model()
    waiting = played.submit("optim_step", update(model, 2))
    taken = snapshot(played)
    for _ in range(2):
        played.submit("forward_backward", training_step(model, 1))
        assert "metrics" in played.outcome(waiting)
        restore(played, taken)
    known = played.server.mock.state.promises[waiting]
    assert known.state == "queued"


def test_what_came_later_is_forgotten(played: Api) -> None:
    taken = snapshot(played)
    session = played.session()
    restore(played, taken)
    assert played.get(f"sessions/{session}").status_code == 404
    assert played.session() == session, "ids follow from the state alone"


def test_a_reset_is_a_fresh_start(played: Api) -> None:
    session = played.session()

    async def reset() -> None:
        played.server.mock.control.reset()

    played.server.call(reset())
    assert played.get("sessions").json() == {"sessions": []}
    assert played.session() == session
