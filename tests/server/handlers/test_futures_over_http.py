"""Promises on the wire: dialects of waiting, metadata, cursors, cancellation, tenancy."""

import threading

import pytest

from tests.server.conftest import Api, sample, training_step, update
from tinker_mock.server.serving.in_thread import RunningServer

OLD = {"User-Agent": "AsyncTinker/Python 0.13.1", "X-Stainless-Package-Version": "0.13.1"}
ELIXIR = {"User-Agent": "AsyncTinkex/Elixir 0.7.0"}


@pytest.fixture
def waiting(api: Api) -> tuple[Api, str]:
    """A promise that waits for a number which has not been sent, on a server that polls briefly."""
    model = api.model()
    return api, api.submit("optim_step", update(model, 2))


@pytest.mark.tinker_mock(long_poll=0.05)
def test_pending_is_told_in_the_callers_dialect(tinker_mock: RunningServer) -> None:
    api = Api(tinker_mock, "tml-dialects")
    with api.http:
        request_id = api.submit("optim_step", update(api.model(), 2))
        body = {"request_id": request_id}
        told = {"type": "try_again", "request_id": request_id, "queue_state": "active"}
        python = api.post("retrieve_future", body)
        assert (python.status_code, python.json()) == (408, told)
        for headers in (ELIXIR, {"Prefer": "try-again=200"}):
            answer = api.post("retrieve_future", body, **headers)
            assert (answer.status_code, answer.json()) == (200, told)


def test_a_parked_poll_is_answered_when_the_result_is_there(waiting: tuple[Api, str]) -> None:
    api, request_id = waiting
    model = api.get("training_runs").json()["training_runs"][0]["training_run_id"]
    seen: list[object] = []
    parked = threading.Thread(target=lambda: seen.append(api.outcome(request_id)))
    parked.start()
    while not api.http.get("/_mock/state").json()["parked"]:
        pass
    api.submit("forward_backward", training_step(model, 1))
    parked.join(timeout=60)
    assert seen
    assert "metrics" in str(seen[0])


def test_results_can_be_read_again(api: Api) -> None:
    request_id = api.submit("forward_backward", training_step(api.model(), 1))
    assert api.outcome(request_id) == api.outcome(request_id)


def test_failures_are_200_with_a_category(api: Api) -> None:
    request_id = api.submit("save_weights", {"model_id": api.model(), "seq_id": 1, "path": "a"})
    assert api.outcome(request_id)["type"] == "save_weights"
    model = api.model(number=1, session=api.session())
    body = training_step(model, 1)
    del body["forward_backward_input"]["data"][0]["loss_fn_inputs"]["target_tokens"]
    failed = api.submit("forward_backward", body)
    python, elixir = api.outcome(failed), api.outcome(failed, **ELIXIR)
    assert python["category"] == "user"
    assert "target_tokens" in python["error"]
    assert elixir["error"] == {"message": python["error"], "category": "user"}


def test_large_results_are_announced_only_where_asked_and_understood(api: Api) -> None:
    body = sample(api.sampler(), 0, num_samples=64)
    body["sampling_params"] = {"max_tokens": 64, "stop": []}
    request_id = api.submit("asample", body)
    api.outcome(request_id)
    poll = {"request_id": request_id, "allow_metadata_only": True}
    announced = api.post("retrieve_future", poll).json()
    whole = api.post("retrieve_future", {**poll, "allow_metadata_only": False})
    assert announced == {"status": "complete_metadata", "response_payload_size": len(whole.content)}
    assert "sequences" in api.post("retrieve_future", poll, **OLD).json()


def test_unknown_and_foreign_promises_are_404(api: Api, stranger: Api) -> None:
    mine = api.submit("optim_step", update(api.model(), 1))
    for client, request_id in ((api, "no-such"), (stranger, mine)):
        answer = client.post("retrieve_future", {"request_id": request_id})
        assert answer.status_code == 404
        assert "request_id" in answer.json()["detail"]


def test_completions_of_a_sampling_client_come_with_a_cursor(api: Api) -> None:
    sampler = api.sampler()
    target = {"type": "sampling_session", "sampling_session_id": sampler}
    first = api.submit("asample", sample(sampler, 0))
    done = api.post("retrieve_futures", {"target": target, "prev_cursor": 0}).json()
    assert done == {"completions": [{"state": "finished", "request_id": first}], "cursor": 1}
    bad = sample(sampler, 1)
    bad["prompt"] = {"chunks": [{"tokens": [10**9]}]}
    second = api.submit("asample", bad)
    cloned = api.submit("asample", sample(sampler, 5 * 10**9))
    told = {"target": target, "prev_cursor": 1, "retrieved_request_ids": [first]}
    assert api.post("retrieve_futures", told).json() == {
        "completions": [{"state": "failed", "request_id": second}],
        "cursor": 2,
    }
    api.outcome(cloned)
    of_clone = api.post("retrieve_futures", {"target": {**target, "cloned_sampler_id": 5}}).json()
    assert of_clone["completions"] == [{"state": "finished", "request_id": cloned}]
    at_once = {"target": target, "prev_cursor": 2, "timeout": 0.0}
    assert api.post("retrieve_futures", at_once).json() == {"completions": [], "cursor": 2}


@pytest.mark.tinker_mock(long_poll=0.05)
def test_a_poll_of_many_is_held_no_longer_than_the_limit(tinker_mock: RunningServer) -> None:
    api = Api(tinker_mock, "tml-held")
    with api.http:
        target = {"type": "sampling_session", "sampling_session_id": api.sampler()}
        for timeout in (None, 0.01, 20, 10**9, 1e308):
            answer = api.post("retrieve_futures", {"target": target, "timeout": timeout})
            assert answer.json() == {"completions": [], "cursor": 0}
            assert answer.elapsed.total_seconds() < 15


def test_a_cancelled_promise_is_a_failure_and_its_lane_goes_on(waiting: tuple[Api, str]) -> None:
    api, request_id = waiting
    assert api.post("cancel_future", {"request_id": request_id}).status_code == 200
    assert "cancelled" in api.outcome(request_id)["error"]
    model = api.get("training_runs").json()["training_runs"][0]["training_run_id"]
    last = api.submit("optim_step", update(model, 3))
    api.submit("optim_step", update(model, 1))
    assert "metrics" in api.outcome(last)


def test_a_client_without_a_name_speaks_as_its_session_says(api: Api) -> None:
    body = sample(api.sampler(api.session(sdk_version="0.13.1")), 0, num_samples=64)
    body["sampling_params"] = {"max_tokens": 64, "stop": []}
    request_id = api.submit("asample", body)
    api.outcome(request_id)
    poll = {"request_id": request_id, "allow_metadata_only": True}
    assert "sequences" in api.post("retrieve_future", poll).json()
    api.session(sdk_version="0.38.0")
    assert api.post("retrieve_future", poll).json()["status"] == "complete_metadata"
