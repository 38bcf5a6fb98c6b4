"""Models and weights are lost on purpose, and stay lost."""

from pathlib import Path

import pytest

from tests.server.conftest import Api, training_step, update
from tinker_mock.server.serving.in_thread import RunningServer
from tinker_mock.server.settings import Settings


def lose(api: Api, model: str, what: str | None = None) -> int:
    body = None if what is None else {"what": what}
    return api.http.post(f"/_mock/models/{model}/lose", json=body).status_code


def test_lost_weights_corrupt_the_run_and_leave_its_checkpoints(api: Api) -> None:
    model = api.model()
    before = api.done("forward_backward", training_step(model, 1))
    saved = api.done("save_weights", {"model_id": model, "seq_id": 2, "path": "a"})["path"]
    assert lose(api, model) == 204
    told = api.outcome(api.submit("optim_step", update(model, 3)))
    assert told["category"] == "server"
    assert "were lost" in told["error"]
    assert api.get(f"training_runs/{model}").json()["corrupted"] is True
    body = {"session_id": api.session(), "model_seq_id": 0, "path": saved, "optimizer": True}
    again = api.done("load_weights", body)["model_id"]
    assert api.done("forward_backward", training_step(again, 1)) == before


def test_a_lost_model_is_unknown_and_what_waited_fails(api: Api) -> None:
    model = api.model()
    waiting = api.submit("optim_step", update(model, 2))
    assert lose(api, model, "model") == 204
    assert "were lost" in api.outcome(waiting)["error"]
    assert api.post("optim_step", update(model, 3)).status_code == 404
    assert api.post("get_info", {"model_id": model}).status_code == 404
    assert api.get(f"training_runs/{model}").status_code == 404
    assert api.get("training_runs").json()["training_runs"] == []
    assert lose(api, model) == 404


def test_what_can_be_lost_is_said(api: Api) -> None:
    assert lose(api, api.model(), "everything") == 422


@pytest.mark.parametrize("what", ["weights", "model"])
def test_by_effect_it_happens_when_the_turn_comes(api: Api, what: str) -> None:
    model = api.model()
    step = update(model, 2)
    answer = api.post("optim_step", step, **{"X-Tinker-Mock-Effect": f"lose-{what}"})
    later = api.submit("optim_step", update(model, 3))
    first = api.submit("forward_backward", training_step(model, 1))
    assert "metrics" in api.outcome(first)
    for request_id in (answer.json()["request_id"], later):
        assert "were lost" in api.outcome(request_id)["error"]


def test_what_was_lost_stays_lost(tmp_path: Path) -> None:
    settings = Settings(port=0, seed=1, data_dir=tmp_path / "data")
    with RunningServer(settings) as server:
        api = Api(server, "tml-a")
        model = api.model()
        api.done("forward_backward", training_step(model, 1))
        lose(api, model)
        api.http.close()
    with RunningServer(settings) as server:
        api = Api(server, "tml-a")
        assert "were lost" in api.outcome(api.submit("optim_step", update(model, 2)))["error"]
        api.http.close()
