"""Snapshots and the way a mock behaves outlive the run."""

from pathlib import Path
from typing import Any

import pytest

from tests.server.conftest import BASE, TOKENS, Api, sample, training_step, update
from tinker_mock.server.serving.in_thread import RunningServer
from tinker_mock.server.settings import Settings

QUIET = "name: quiet\nqueue: {long_poll: 1s}\n"


def running(directory: Path, **more: Any) -> RunningServer:
    return RunningServer(Settings(port=0, seed=3, data_dir=directory, **more))


def further(api: Api, model: str) -> list[Any]:
    told = [api.done("forward_backward", training_step(model, 3))]
    told.append(api.done("optim_step", update(model, 4)))
    body = {"model_id": model, "seq_id": 5, "sampling_session_seq_id": 9}
    sampler = api.done("save_weights_for_sampler", body)["sampling_session_id"]
    return [*told, api.done("asample", sample(sampler, 0)), api.session()]


def control(api: Api, path: str, body: Any = None, status: int = 204) -> Any:
    answer = api.http.post(f"/_mock/{path}", json=body)
    assert answer.status_code == status, answer.text
    return answer.json() if answer.content else None


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return tmp_path / "data"


def test_what_follows_is_the_same_in_this_run_and_the_next(directory: Path) -> None:
    with running(directory) as server:
        api = Api(server, "tml-a")
        model = api.model()
        api.done("forward_backward", training_step(model, 1))
        api.done("optim_step", update(model, 2))
        waiting = api.submit("optim_step", update(model, 7))
        assert control(api, "snapshots", {"name": "before"}, 201)["id"] == "before"
        control(api, "snapshots", {"name": "before"}, 409)
        control(api, "snapshots", {"name": "../secret"}, 422)
        first = further(api, model)
        control(api, "snapshots/before/restore")
        assert further(api, model) == first
        control(api, "reset")
        assert api.get("sessions").json()["sessions"] == []
        api.http.close()
    with running(directory) as server:
        api = Api(server, "tml-a")
        assert api.get("sessions").json()["sessions"] == []
        kept = api.http.get("/_mock/snapshots").json()["snapshots"]
        assert [one["id"] for one in kept] == ["before"]
        control(api, "snapshots/before/restore")
        assert further(api, model) == first
        api.submit("forward_backward", training_step(model, 6))
        assert "metrics" in api.outcome(waiting)
        assert api.http.delete("/_mock/snapshots/before").status_code == 204
        control(api, "snapshots/before/restore", status=404)
        api.http.close()


def test_a_scenario_stays_on(directory: Path) -> None:
    with running(directory) as server:
        api = Api(server, "tml-a")
        assert api.http.put("/_mock/scenario", json={"yaml": QUIET}).status_code == 200
        api.http.close()
    with running(directory) as server:
        api = Api(server, "tml-a")
        assert api.http.get("/_mock/scenario").json()["name"] == "quiet"
        api.http.close()
    with running(directory, scenario="rate-limited") as server:
        api = Api(server, "tml-a")
        assert api.http.get("/_mock/scenario").json()["name"] == "rate-limited"
        api.http.close()


def test_scripts_stay_on(directory: Path) -> None:
    body = {"model": BASE, "pattern_tokens": TOKENS, "completion_tokens": [5, 6], "end_turn": False}
    told = []
    for first in (True, False):
        with running(directory) as server:
            api = Api(server, "tml-a")
            if first:
                control(api, "scripts", body, 201)
            result = api.done("asample", sample(api.sampler(), 1))
            told.append(result["sequences"][0]["tokens"][:2])
            api.http.close()
    assert told == [[5, 6], [5, 6]]


def test_snapshots_without_a_name_are_numbered(directory: Path) -> None:
    with running(directory) as server:
        api = Api(server, "tml-a")
        names = [control(api, "snapshots", None, 201)["id"] for _ in range(2)]
        api.http.close()
    with running(directory) as server:
        api = Api(server, "tml-a")
        names.append(control(api, "snapshots", None, 201)["id"])
        api.http.close()
    assert names == ["snapshot-1", "snapshot-2", "snapshot-3"]
