"""Sessions: opened, kept alive, finished, listed, searched, moved, traced."""

import json
from typing import Any

import httpx
import pytest

from tests.server.conftest import TOKENS, Api, sample, training_step, update
from tinker_mock.server.serving.in_thread import RunningServer


def test_sessions_are_listed_newest_first_and_only_to_their_owner(api: Api, stranger: Api) -> None:
    ids = [api.session() for _ in range(3)]
    assert api.get("sessions").json() == {"sessions": ids[::-1]}
    assert api.get("sessions", limit=1, offset=1).json() == {"sessions": [ids[1]]}
    assert stranger.get("sessions").json() == {"sessions": []}
    assert stranger.get(f"sessions/{ids[0]}").status_code == 404


def test_a_session_shows_its_models_and_samplers(api: Api) -> None:
    session = api.session(user_metadata={"run": 7}, display_name="first try")
    model, sampler = api.model(session), api.sampler(session)
    assert model == f"{session}:train:0"
    assert api.get(f"sessions/{session}").json() == {
        "training_run_ids": [model],
        "sampler_ids": [sampler],
        "user_metadata": {"run": "7"},
        "display_name": "first try",
    }


def test_the_first_reason_to_finish_stays_and_work_is_refused(api: Api) -> None:
    session = api.session()
    model = api.model(session)
    for reason in ("success", "errored"):
        body = {"reason": {"type": reason}, "detail": None}
        assert api.post(f"sessions/{session}/finish", body).status_code == 200
    found = api.post("sessions/search", {"session_id": session}).json()["sessions"]
    assert found[0]["status"] == {"type": "client_finished", "reason": {"type": "success"}}
    assert api.post("session_heartbeat", {"session_id": session}).status_code == 410
    refused = api.post("optim_step", update(model, 1))
    assert refused.status_code == 409
    assert "finished" in refused.json()["detail"]


@pytest.mark.tinker_mock(clock="manual", session_timeout=60.0)
def test_a_silent_session_is_over(tinker_mock: RunningServer) -> None:
    api = Api(tinker_mock, "tml-silent")
    with api.http:
        kept, silent = api.session(), api.session()
        for _ in range(3):
            tinker_mock.call(tinker_mock.mock.clock.run_for(50))
            assert api.post("session_heartbeat", {"session_id": kept}).status_code == 200
        gone = api.post("session_heartbeat", {"session_id": silent})
        assert gone.status_code == 410
        query = {"statuses": [{"type": "cancelled"}]}
        found = api.post("sessions/search", query).json()["sessions"]
        assert [session["session_id"] for session in found] == [silent]


@pytest.fixture
def searched(api: Api) -> tuple[Api, list[str]]:
    """Five sessions: numbers in their metadata, the last one finished as interrupted."""
    ids = [
        api.session(user_metadata={"n": n}, display_name=f"Try {n}", project_id=f"project-{n % 2}")
        for n in range(5)
    ]
    body = {"reason": {"type": "interrupted"}, "detail": "ctrl-c"}
    api.post(f"sessions/{ids[4]}/finish", body)
    return api, ids


QUERIES: list[tuple[dict[str, Any], list[int]]] = [
    ({}, [4, 3, 2, 1, 0]),
    ({"user_metadata": {"n": "2"}}, [2]),
    ({"display_name": "try 3"}, [3]),
    ({"project_ids": ["project-1"]}, [3, 1]),
    ({"project_ids": ["project-1"], "display_name": "try 1"}, [1]),
    ({"statuses": [{"type": "active"}]}, [3, 2, 1, 0]),
    ({"statuses": [{"type": "client_finished", "reasons": ["success"]}]}, []),
    ({"statuses": [{"type": "client_finished", "reasons": ["interrupted"]}]}, [4]),
    ({"owner": {"type": "user", "owner_urns": ["tml:user:nobody"]}}, []),
    ({"owner": {"type": "accessible"}, "limit": 2}, [4, 3]),
]


@pytest.mark.parametrize(("query", "expected"), QUERIES)
def test_search(
    searched: tuple[Api, list[str]], query: dict[str, Any], expected: list[int]
) -> None:
    api, ids = searched
    found = api.post("sessions/search", query).json()["sessions"]
    assert [ids.index(session["session_id"]) for session in found] == expected


def test_search_goes_on_where_it_stopped_whatever_is_added(
    searched: tuple[Api, list[str]],
) -> None:
    api, ids = searched
    seen, query = [], {"limit": 2}
    while True:
        page = api.post("sessions/search", query).json()
        seen += [session["session_id"] for session in page["sessions"]]
        if "next_cursor" not in page:
            break
        api.session()
        query = {"limit": 2, "cursor": page["next_cursor"]}
    assert seen == ids[::-1]


def test_runs_move_with_their_session_to_a_project(api: Api) -> None:
    session = api.session()
    model = api.model(session)
    api.done("save_weights", {"model_id": model, "seq_id": 1, "path": "a"})
    assert api.get("training_runs", project_id="project-x").json()["training_runs"] == []
    moved = api.http.put(f"/api/v1/sessions/{session}/project", json={"project_id": "project-x"})
    assert moved.status_code == 200
    runs = api.get("training_runs", project_id="project-x").json()["training_runs"]
    assert [run["training_run_id"] for run in runs] == [model]
    storage = api.get("billing/usage/checkpoints/current", project_id="project-x").json()["data"]
    assert storage[0]["checkpoint_count"] == 1


def test_the_trace_holds_what_was_done(api: Api) -> None:
    session = api.session()
    model = api.model(session)
    api.done("optim_step", update(model, 1))
    assert api.get(f"sessions/{session}/trace_export").json() == {"status": "pending"}
    ready = api.get(f"sessions/{session}/trace_export").json()
    assert ready["status"] == "ready"
    trace = json.loads(httpx.get(ready["url"], timeout=60).content)["traceEvents"]
    names = [event["name"] for event in trace if event["ph"] == "X"]
    assert {"create_model", "optim_step", "queued"} <= set(names)


@pytest.mark.tinker_mock(clock="manual")
def test_the_trace_counts_requests_tokens_and_seconds(tinker_mock: RunningServer) -> None:
    """Two passes over 7 tokens and a sample of 8; the link is good for an hour."""
    api = Api(tinker_mock, "tml-traced")
    with api.http:
        session = api.session()
        model = api.model(session)
        for seq_id in (1, 2):
            api.done("forward_backward", training_step(model, seq_id))
        sampled = api.done("asample", sample(api.sampler(session), 0))["sequences"][0]["tokens"]
        api.get(f"sessions/{session}/trace_export")
        url = api.get(f"sessions/{session}/trace_export").json()["url"]
        trace = json.loads(httpx.get(url).content)["traceEvents"]
        tinker_mock.call(tinker_mock.mock.clock.run_for(3599))
        assert httpx.get(url).status_code == 200
        tinker_mock.call(tinker_mock.mock.clock.run_for(2))
        assert httpx.get(url).status_code == 410
    counters: dict[str, list[dict[str, float]]] = {}
    for event in trace:
        if event["ph"] == "C":
            counters.setdefault(event["name"], []).append(event["args"])
    totals = counters["Totals: tokens"][-1]
    assert totals == {"training": 2 * (len(TOKENS) - 1), "sampling": len(sampled)}
    assert counters["Concurrency: requests in flight"][-1] == {"training": 0, "sampling": 0}
    assert counters["Latency: seconds"][-1] == {"p50": 0.0, "p90": 0.0, "p99": 0.0}
    assert {"training": len(TOKENS) - 1} in counters["Per request: tokens"]
