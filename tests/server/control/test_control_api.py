"""The control API over HTTP: contract, key, state, clock, promises, plans, snapshots, scripts."""

from typing import Any

import httpx
import pytest

from tinker_mock.contracts import load_contract
from tinker_mock.server.serving.in_thread import RunningServer

MODEL = "Qwen/Qwen3-8B"
CONTRACT = load_contract("control")


class Console:
    """A client of both APIs; every control answer is held against the contract."""

    def __init__(self, server: RunningServer) -> None:
        headers = {"X-API-Key": "tml-tester"}
        self.http = httpx.Client(base_url=server.url, headers=headers, timeout=60)

    def control(self, operation_id: str, body: Any = None, **values: Any) -> httpx.Response:
        operation = CONTRACT.operations[operation_id]
        path = operation.path
        for name in [name for name in values if f"{{{name}}}" in path]:
            path = path.replace(f"{{{name}}}", str(values.pop(name)))
        answer = self.http.request(operation.method, path, params=values, json=body)
        if answer.headers.get("content-type", "").startswith("application/json"):
            assert operation.check_response(answer.status_code, answer.json()) == []
        return answer

    def call(self, path: str, **body: Any) -> Any:
        answer = self.http.post(f"/api/v1/{path}", json=body)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def poll(self, request_id: str) -> httpx.Response:
        return self.http.post("/api/v1/retrieve_future", json={"request_id": request_id})

    def session(self) -> str:
        told = self.call("create_session", tags=[], user_metadata={}, sdk_version="0.38.0")
        return str(told["session_id"])

    def model(self) -> str:
        """The request id of a submitted create_model."""
        told = self.call(
            "create_model",
            session_id=self.session(),
            model_seq_id=0,
            base_model=MODEL,
            lora_config={"rank": 4},
        )
        return str(told["request_id"])


@pytest.fixture
def console(tinker_mock: RunningServer) -> Any:
    console = Console(tinker_mock)
    yield console
    console.http.close()


def test_the_index_lists_the_contract(console: Console) -> None:
    listed = console.control("index").json()["operations"]
    assert set(listed) == {f"{op.method} {op.path}" for op in CONTRACT.operations.values()}


def test_health(console: Console) -> None:
    assert console.control("healthz").json() == {"status": "ok"}
    assert console.control("readyz").json() == {"status": "ready"}


@pytest.mark.tinker_mock(control_key="secret")
def test_a_key_protects_everything_but_health(console: Console) -> None:
    assert console.control("healthz").status_code == 200
    refused = console.control("get_state")
    assert (refused.status_code, "--control-key" in refused.text) == (401, True)
    console.http.headers["X-Tinker-Mock-Key"] = "secret"
    assert console.control("get_state").status_code == 200


@pytest.mark.tinker_mock(clock="manual")
@pytest.mark.parametrize("seconds", [2.6e11, 1e308])
def test_time_does_not_leave_what_the_wire_can_say(console: Console, seconds: float) -> None:
    refused = console.control("advance_clock", {"seconds": seconds})
    assert (refused.status_code, refused.json()["error"]["field"]) == (400, "/seconds")
    assert console.control("advance_clock", {"seconds": 2.5e11}).status_code == 200
    far = {"X-Tinker-Mock-Effect": "skew-99999999999h", "Authorization": "Bearer tml-a"}
    for path in ("/api/v1/audit", "/oai/api/v1/models", "/api/v1/sessions"):
        assert console.http.get(path, headers=far).status_code == 200
    assert console.control("query_journal").status_code == 200


@pytest.mark.tinker_mock(control=False)
def test_switched_off_there_is_no_control_api_and_no_effect_header(console: Console) -> None:
    assert console.http.get("/_mock/state").status_code == 404
    answer = console.http.get("/api/v1/healthz", headers={"X-Tinker-Mock-Effect": "return-503"})
    assert answer.status_code == 200


def test_wrong_requests_are_refused_with_pointer_and_rule(console: Console) -> None:
    refused = console.control("advance_clock", {"seconds": -1})
    assert (refused.status_code, refused.json()["error"]["field"]) == (422, "/seconds")
    assert console.control("advance_clock", {"seconds": 1}).status_code == 409
    assert console.http.put("/_mock/state").headers["allow"] == "GET"
    assert console.control("query_journal", status="many").status_code == 422
    assert console.http.post("/_mock/plans", content=b"{").status_code == 400


def test_state_counts_and_lists(console: Console) -> None:
    request_id = console.model()
    console.poll(request_id)
    state = console.control("get_state").json()
    assert state["counts"]["sessions"] == state["counts"]["runs"] == 1
    (session,) = console.control("list_sessions").json()["sessions"]
    (model,) = console.control("list_models").json()["models"]
    assert session["models"] == [model["model_id"]]
    assert (model["steps"], model["loaded"]) == (0, True)
    (promise,) = console.control("list_promises", state="completed").json()["promises"]
    assert (promise["request_id"], promise["polls"]) == (request_id, 1)
    (lane,) = console.control("list_lanes").json()["lanes"]
    assert (lane["id"], lane["expected_seq_id"]) == (promise["lane"], 1)


@pytest.mark.tinker_mock(clock="manual", long_poll=0.0)
def test_work_is_completed_by_hand(console: Console) -> None:
    console.control("put_scenario", {"yaml": "queue:\n  completion: [{manual: true}]"})
    request_id = console.model()
    console.control("advance_clock", {"seconds": 1000})
    assert console.poll(request_id).status_code == 408
    (promise,) = console.control("list_promises").json()["promises"]
    assert (promise["state"], promise["held"]) == ("running", True)
    assert console.control("complete_promise", request_id=request_id).status_code == 204
    console.control("advance_clock", {"seconds": 0})
    assert console.poll(request_id).status_code == 200
    assert console.control("complete_promise", request_id=request_id).status_code == 409


@pytest.mark.parametrize("held", [True, False])
@pytest.mark.tinker_mock(clock="manual")
def test_promises_expire_and_fail_by_hand(console: Console, held: bool) -> None:
    """While their work is held back, and after it is done."""
    console.control("put_scenario", {"yaml": f"queue:\n  completion: [{{manual: {held}}}]"})
    first, second = console.model(), console.model()
    console.control("advance_clock", {"seconds": 0})  # returns when nothing is computed any more
    promises = console.control("list_promises").json()["promises"]
    assert {promise["state"] for promise in promises} == {"running" if held else "completed"}
    console.control("fail_promise", {"error": "burnt", "category": "user"}, request_id=first)
    assert console.poll(first).json() == {"error": "burnt", "category": "user"}
    console.control("expire_promise", request_id=second)
    assert console.poll(second).status_code == 410
    assert console.control("expire_promise", request_id="unknown").status_code == 404


@pytest.mark.tinker_mock(clock="manual", session_timeout=60.0)
def test_sessions_end_by_silence_or_by_hand(console: Console) -> None:
    silent, ended = console.session(), console.session()

    def beat(session_id: str) -> int:
        body = {"session_id": session_id}
        return console.http.post("/api/v1/session_heartbeat", json=body).status_code

    console.control("advance_clock", {"seconds": 50})
    assert (beat(silent), beat(ended)) == (200, 200)
    console.control("expire_session", session_id=ended)
    assert beat(ended) == 410
    console.control("advance_clock", {"seconds": 61})
    assert beat(silent) == 410


@pytest.mark.tinker_mock(clock="auto", session_timeout=60.0)
def test_a_client_that_polls_keeps_its_session_on_a_clock_that_jumps(console: Console) -> None:
    console.control("put_scenario", {"yaml": "queue:\n  completion: [{after: 10m}]"})
    request_id = console.model()
    answers = [console.poll(request_id).status_code for _ in range(21)]
    assert answers == [408] * 19 + [200, 200]
    (session,) = console.control("list_sessions").json()["sessions"]
    body = {"session_id": session["session_id"]}
    assert console.http.post("/api/v1/session_heartbeat", json=body).status_code == 200


@pytest.mark.tinker_mock(clock="manual")
def test_results_are_kept_for_the_retention_time(console: Console) -> None:
    console.control("put_scenario", {"yaml": "queue: {retention: 10m}"})
    request_id = console.model()
    for _ in range(2):
        assert console.poll(request_id).status_code == 200
        console.control("advance_clock", {"seconds": 299})
    console.control("advance_clock", {"seconds": 10})
    gone = console.poll(request_id)
    assert (gone.status_code, "expired" in gone.json()["detail"]) == (410, True)


def test_scenarios_change_while_the_server_runs(console: Console) -> None:
    names = console.control("list_scenarios").json()["scenarios"]
    assert names["proxy-noise"].startswith("A proxy answers")
    assert console.control("put_scenario", {"name": "proxy-noise"}).status_code == 200
    request_id = console.model()
    assert console.poll(request_id).status_code == 400
    assert console.poll(request_id).status_code == 200
    told = console.control("get_scenario").json()
    assert (told["name"], told["rules"]) == ("proxy-noise", [{"name": "empty-400", "applied": 1}])
    wrong = console.control("put_scenario", {"yaml": "rules:\n  - effects: boom"})
    assert (wrong.status_code, wrong.json()["error"]["line"]) == (422, 2)
    assert console.control("get_scenario").json()["name"] == "proxy-noise"
    assert console.control("put_scenario", {"name": "../secret.yaml"}).status_code == 422


def test_a_plan_is_bound_to_its_header_and_accounted_for(console: Console) -> None:
    effects = {"healthz": ["return-503", "pass", {"return": 418, "body": {"detail": "tea"}}]}
    plan = console.control("create_plan", {"effects": effects}).json()
    own = {"X-Tinker-Mock-Plan": plan["id"]}

    def health(headers: dict[str, str]) -> int:
        return console.http.get("/api/v1/healthz", headers=headers).status_code

    assert [health(own), health({}), health(own)] == [503, 200, 200]
    account = console.control("get_plan", plan_id=plan["id"]).json()
    assert account["consumed"] == {"healthz": ["return-503", "pass"]}
    assert account["remaining"] == {"healthz": ["return-418"]}
    assert (account["completed"], account["requests"]) == (False, 2)
    assert [health(own), health(own)] == [418, 200]
    final = console.control("delete_plan", plan_id=plan["id"]).json()
    assert final["completed"]
    assert health(own) == 404
    wrong = console.control("create_plan", {"effects": {"asample": "expire-promise"}})
    assert (wrong.status_code, wrong.json()["error"]["field"]) == (422, "/effects/asample")
    assert console.control("create_plan", {"effects": {"fly": "drop"}}).status_code == 422


def test_a_single_request_brings_its_own_effect(console: Console) -> None:
    def health(effect: str) -> httpx.Response:
        return console.http.get("/api/v1/healthz", headers={"X-Tinker-Mock-Effect": effect})

    throttled = health("return-429-after-1500ms")
    assert throttled.status_code == 429
    assert (throttled.headers["retry-after"], throttled.headers["retry-after-ms"]) == ("2", "1500")
    empty = health("return-400-empty")
    assert (empty.status_code, empty.headers["content-length"]) == (400, "0")
    assert health("explode").status_code == 422


@pytest.mark.tinker_mock(clock="manual")
def test_a_snapshot_brings_everything_back(console: Console) -> None:
    console.control("put_scenario", {"yaml": "rules: [{effects: return-503, times: 1}]"})
    session_id = console.http.post(
        "/api/v1/create_session", json={"tags": [], "user_metadata": {}, "sdk_version": "1"}
    )
    assert session_id.status_code == 503
    console.session()
    taken = console.control("take_snapshot").json()
    before = console.control("list_sessions").json()
    console.session()
    console.control("put_scenario", {"name": "healthy"})
    assert console.control("restore_snapshot", snapshot_id=taken["id"]).status_code == 204
    assert console.control("list_sessions").json() == before
    assert console.control("get_scenario").json()["rules"] == [{"name": "rule-1", "applied": 1}]
    assert console.control("list_snapshots").json()["snapshots"] == [taken]
    assert console.control("delete_snapshot", snapshot_id=taken["id"]).status_code == 204
    assert console.control("restore_snapshot", snapshot_id=taken["id"]).status_code == 404


@pytest.mark.tinker_mock(clock="manual")
def test_a_snapshot_frees_the_workers_of_what_it_undoes(console: Console) -> None:
    crowded = "queue:\n  capacity: [{workers: 1}]\n  completion: [{manual: true}]"
    console.control("put_scenario", {"yaml": crowded})
    taken = console.control("take_snapshot").json()
    console.model()
    console.control("advance_clock", {"seconds": 0})
    console.control("restore_snapshot", snapshot_id=taken["id"])
    request_id = console.model()
    console.control("complete_promise", request_id=request_id)
    console.control("advance_clock", {"seconds": 0})
    (promise,) = console.control("list_promises").json()["promises"]
    assert (promise["request_id"], promise["state"]) == (request_id, "completed")


def test_reset_is_a_fresh_start(console: Console) -> None:
    first = console.session()
    console.control("put_scenario", {"name": "rate-limited"})
    assert console.control("reset").status_code == 204
    assert console.control("get_state").json()["counts"]["sessions"] == 0
    assert console.control("get_scenario").json()["name"] == "healthy"
    assert console.control("count_journal").json() == {"count": 0, "forgotten": 0}
    assert console.session() == first


def test_a_script_answers(console: Console) -> None:
    prompt, answer = [11, 12, 13], [21, 22, 23]
    script = {"model": MODEL, "pattern_tokens": prompt, "completion_tokens": answer}
    added = console.control("add_script", {**script, "end_turn": False})
    assert added.status_code == 201
    sampler = console.call(
        "create_sampling_session",
        session_id=console.session(),
        sampling_session_seq_id=0,
        base_model=MODEL,
    )["sampling_session_id"]
    future = console.call(
        "asample",
        sampling_session_id=sampler,
        seq_id=0,
        num_samples=1,
        prompt={"chunks": [{"type": "encoded_text", "tokens": prompt}]},
        sampling_params={"max_tokens": 3, "temperature": 0.0},
    )
    assert console.poll(future["request_id"]).json()["sequences"][0]["tokens"] == answer
    (listed,) = console.control("list_scripts").json()["scripts"]
    assert listed["completion_tokens"] == answer
    assert console.control("clear_scripts").status_code == 204
    assert console.control("list_scripts").json() == {"scripts": []}
    both = {**script, "completion": "text"}
    assert console.control("add_script", both).status_code == 422


def test_metrics_are_in_prometheus_format(console: Console) -> None:
    console.poll(console.model())
    text = console.control("metrics").text
    line = 'tinker_mock_exchanges_total{operation="create_model",status="200",verdict="ok"} 1.0'
    assert line in text.splitlines()
    for row in text.splitlines():
        assert row.startswith("# ") or float(row.rsplit(" ", 1)[1]) >= 0
