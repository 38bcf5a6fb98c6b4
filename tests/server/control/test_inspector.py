"""What the inspector shows: curves, samples, exchanges in full, checkpoints; and its page."""

import base64
import math
import re
import subprocess
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.server.conftest import TOKENS, Api, datum, sample, training_step, update
from tinker_mock.contracts import load_contract
from tinker_mock.contracts.protobuf import messages
from tinker_mock.server.service import operations
from tinker_mock.server.service.backend import Backend
from tinker_mock.server.serving.in_thread import RunningServer
from tinker_mock.server.settings import Settings
from tinker_mock.server.state.promise import Outcome, Promise

CONTRACT = load_contract("control")


@pytest.fixture
def api() -> Iterator[Api]:
    with RunningServer(Settings(port=0)) as server:
        tester = Api(server, "tml-tester")
        with tester.http:
            yield tester


def look(api: Api, operation_id: str, **values: Any) -> Any:
    operation = CONTRACT.operations[operation_id]
    path = operation.path
    for name in re.findall(r"{(\w+)}", path):
        path = path.replace(f"{{{name}}}", str(values.pop(name)))
    answer = api.http.get(path, params=values)
    assert answer.status_code == 200, answer.text
    assert operation.check_response(200, answer.json()) == []
    return answer.json()


def trained(api: Api, model: str, steps: int = 3) -> list[float]:
    """Loss sums of the steps as the client saw them; two batches a step."""
    seen = []
    for step in range(steps):
        first = api.done("forward_backward", training_step(model, 3 * step + 1))
        two = training_step(model, 3 * step + 2, datum(), datum(TOKENS[::-1]))
        second = api.done("forward_backward", two)
        api.done("optim_step", update(model, 3 * step + 3, 1e-3 * (step + 1)))
        seen.append(first["metrics"]["loss:sum"] + second["metrics"]["loss:sum"])
    return seen


# --- curves ------------------------------------------------------------------------------------


def test_a_point_per_optimizer_step_with_what_the_client_saw(api: Api) -> None:
    model = api.model()
    seen = trained(api, model)
    (curve,) = look(api, "list_curves")["models"]
    assert (curve["model_id"], curve["base_model"]) == (model, "Qwen/Qwen3-8B")
    assert [point["step"] for point in curve["points"]] == [1, 2, 3]
    values = [point["values"] for point in curve["points"]]
    assert [one["loss:sum"] for one in values] == pytest.approx(seen)
    positions = 3 * (len(TOKENS) - 1)
    assert [one["tokens"] for one in values] == [positions] * 3
    assert [one["loss per token"] for one in values] == pytest.approx([s / positions for s in seen])
    assert [one["learning rate"] for one in values] == pytest.approx([1e-3, 2e-3, 3e-3])


def test_steps_can_be_asked_for_as_they_come(api: Api) -> None:
    model, other = api.model(), api.model()
    trained(api, model)
    trained(api, other, steps=1)
    (curve,) = look(api, "list_curves", model=model, after=2)["models"]
    assert [point["step"] for point in curve["points"]] == [3]
    last = curve["points"][0]["at"]
    since = {c["model_id"]: c["points"] for c in look(api, "list_curves", since=last)["models"]}
    assert [point["step"] for point in since[model]] == [3]
    assert [point["step"] for point in since[other]] == [1]
    assert len(look(api, "list_curves")["models"]) == 2


def test_weights_are_what_a_loss_is_divided_by(api: Api) -> None:
    model = api.model()
    size = len(TOKENS) - 1
    weights = [0.0] * (size - 2) + [1.0, 0.5]
    one = datum(
        target_tokens={"data": TOKENS[1:], "dtype": "int64", "shape": [size]},
        weights={"data": weights, "dtype": "float32", "shape": [size]},
    )
    loss = api.done("forward_backward", training_step(model, 1, one))["metrics"]["loss:sum"]
    api.done("optim_step", update(model, 2))
    (curve,) = look(api, "list_curves")["models"]
    assert curve["points"][0]["values"]["loss per token"] == pytest.approx(loss / 1.5)


def test_policy_losses_tell_advantage_and_distance(api: Api) -> None:
    model = api.model()
    size = len(TOKENS) - 1
    exact = api.done("forward", {"model_id": model, "seq_id": 1, "forward_input": {
        "data": [datum()], "loss_fn": "cross_entropy"}})  # fmt: skip
    scores = exact["loss_fn_outputs"][0]["logprobs"]["data"]
    advantages = [0.0] * (size - 2) + [2.0, -1.0]
    one = datum(
        target_tokens={"data": TOKENS[1:], "dtype": "int64", "shape": [size]},
        logprobs={"data": [s + 0.25 for s in scores], "dtype": "float32", "shape": [size]},
        advantages={"data": advantages, "dtype": "float32", "shape": [size]},
    )
    body = training_step(model, 2, one)
    body["forward_backward_input"]["loss_fn"] = "importance_sampling"
    api.done("forward_backward", body)
    api.done("optim_step", update(model, 3))
    (curve,) = look(api, "list_curves")["models"]
    values = curve["points"][0]["values"]
    assert values["advantage:mean"] == pytest.approx(0.5)
    assert values["kl_sampler_trainer:mean"] == pytest.approx(0.25, abs=1e-5)


def test_groups_tell_what_their_rewards_differ_by(api: Api) -> None:
    """Rewards 1, 0, 0, 1 and 0.25, 0.75 less their group's mean, as loops send them."""
    model = api.model()
    groups = {(1, 2, 3): [1.0, 0.0, 0.0, 1.0], (4, 5, 6): [0.25, 0.75]}
    data, sampled = [], -2.0
    for prompt, rewards in groups.items():
        for answer, reward in enumerate(rewards):
            tokens = [*prompt, 7, 8 + answer]
            size, own = len(tokens) - 1, reward - sum(rewards) / len(rewards)
            data.append(
                datum(
                    tokens,
                    target_tokens={"data": tokens[1:], "dtype": "int64", "shape": [size]},
                    logprobs=reals([0.0, 0.0, sampled, sampled]),
                    advantages=reals([0.0, 0.0, own, own]),
                )
            )
    body = training_step(model, 1, *data)
    body["forward_backward_input"]["loss_fn"] = "importance_sampling"
    done = api.done("forward_backward", body)
    api.done("optim_step", update(model, 2))

    (curve,) = look(api, "list_curves")["models"]
    values = curve["points"][0]["values"]
    ratios = [
        math.exp(score - sampled)
        for output in done["loss_fn_outputs"]
        for score in output["logprobs"]["data"][2:]
    ]
    assert values["advantage:mean"] == pytest.approx(0)
    assert values["advantage_positive:mean"] == pytest.approx(3 / 6)
    assert values["advantage_spread:mean"] == pytest.approx((1.0 + 0.5) / 2)
    assert values["sequence_tokens:mean"] == 2
    assert values["sampled_entropy:mean"] == pytest.approx(2.0)
    assert values["ratio:mean"] == pytest.approx(sum(ratios) / len(ratios), rel=1e-5)


def reals(values: list[float]) -> dict[str, Any]:
    return {"data": values, "dtype": "float32", "shape": [len(values)]}


@pytest.mark.parametrize("operation", ["asample", "forward_backward"])
def test_work_that_is_failed_by_hand_meanwhile_is_not_shown(
    api: Api, operation: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    done = operations.perform

    async def failed(backend: Backend, promise: Promise) -> Any:
        result = await done(backend, promise)
        if promise.operation == operation:
            backend.promises.fail(promise, Outcome("failed", error="burnt"))
        return result

    body = training_step(api.model(), 1)
    if operation == "asample":
        body = sample(api.sampler(base_model="Qwen/Qwen3-8B"), 1)
    monkeypatch.setattr(operations, "perform", failed)
    assert api.outcome(api.submit(operation, body))["error"] == "burnt"
    assert [record.getMessage() for record in caplog.records if record.levelname == "ERROR"] == []


def test_curves_end_with_a_reset(api: Api) -> None:
    trained(api, api.model(), steps=1)
    assert api.http.post("/_mock/reset").status_code == 204
    assert look(api, "list_curves")["models"] == []
    assert look(api, "list_samples")["samples"] == []


# --- samples -----------------------------------------------------------------------------------


def test_a_sample_is_shown_token_by_token(api: Api) -> None:
    sampler = api.sampler()
    body = {
        "sampling_session_id": sampler,
        "seq_id": 1,
        "prompt": {"chunks": [{"tokens": TOKENS}]},
        "sampling_params": {"max_tokens": 5, "seed": 1},
        "num_samples": 2,
    }
    drawn = api.done("asample", body)["sequences"]
    (shown,) = look(api, "list_samples")["samples"]
    assert [piece["token"] for piece in shown["prompt"]] == TOKENS
    assert [s["stop_reason"] for s in shown["sequences"]] == [s["stop_reason"] for s in drawn]
    for there, here in zip(drawn, shown["sequences"], strict=True):
        assert [piece["token"] for piece in here["pieces"]] == there["tokens"]
        assert [piece["logprob"] for piece in here["pieces"]] == pytest.approx(there["logprobs"])
    assert look(api, "list_samples", after=shown["number"])["samples"] == []


# --- exchanges in full -------------------------------------------------------------------------


def newest(api: Api, operation: str) -> Any:
    lines = look(api, "query_journal", operation=operation, view="line")["entries"]
    assert "request_body" not in lines[-1]
    return look(api, "get_exchange", number=lines[-1]["number"])


def test_protobuf_is_shown_as_numbers(api: Api) -> None:
    model = api.model()
    message = messages.ForwardBackwardRequest(model_id=model, seq_id=1, loss_fn="cross_entropy")
    one = message.data.add()
    tokens = (9707).to_bytes(4, "little") + (11).to_bytes(4, "little")
    one.model_input.add().encoded_text.tokens = tokens
    for name, content, dtype in (
        ("target_tokens", b"".join(n.to_bytes(8, "little") for n in (11, 1879)), 2),
        ("weights", bytes.fromhex("0000803f0000003f"), 1),
    ):
        one.loss_fn_inputs[name].dense = content
        one.loss_fn_inputs[name].dtype = dtype
        one.loss_fn_inputs[name].shape.append(2)
    headers = {"content-type": "application/x-protobuf"}
    sent = api.http.post(
        "/api/v1/forward_backward", content=message.SerializeToString(), headers=headers
    )
    assert sent.status_code == 200, sent.text
    shown = newest(api, "forward_backward")["request_message"]
    (datum_shown,) = shown["data"]
    assert datum_shown["model_input"] == [{"encoded_text": {"tokens": [9707, 11]}}]
    inputs = datum_shown["loss_fn_inputs"]
    assert inputs["target_tokens"]["dense"] == [11, 1879]
    assert inputs["weights"]["dense"] == [1.0, 0.5]

    request = {"request_id": sent.json()["request_id"]}
    accept = {"accept": "application/x-protobuf"}
    api.post("retrieve_future", request, **accept)
    answer = newest(api, "retrieve_future")["response_message"]
    json_loss = api.outcome(request["request_id"])
    assert answer["metrics"]["loss:sum"] == pytest.approx(json_loss["metrics"]["loss:sum"])
    (record,) = answer["loss_fn_outputs"]
    outputs = json_loss["loss_fn_outputs"][0]["logprobs"]["data"]
    assert record["fields"]["logprobs"]["data"] == pytest.approx(outputs)


def test_broken_protobuf_is_said_to_be_broken(api: Api) -> None:
    headers = {"content-type": "application/x-protobuf"}
    api.http.post("/api/v1/forward_backward", content=b"\xff\xff\xff", headers=headers)
    assert (
        "not a ForwardBackwardRequest"
        in newest(api, "forward_backward")["request_message"]["broken"]
    )


@pytest.mark.parametrize("kind", ["json", "protobuf"])
def test_the_curl_line_runs(api: Api, kind: str) -> None:
    if kind == "json":
        api.post("create_session", {"tags": ["it's"], "user_metadata": None, "sdk_version": "1"})
        shown = newest(api, "create_session")
    else:
        headers = {"content-type": "application/x-protobuf"}
        content = messages.ForwardBackwardRequest(model_id="x", seq_id=1).SerializeToString()
        api.http.post("/api/v1/forward_backward", content=content, headers=headers)
        shown = newest(api, "forward_backward")
        assert base64.b64encode(content).decode() in shown["curl"]
    again = subprocess.run(
        ["sh", "-c", shown["curl"]],
        env={"MOCK": api.server.url, "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=True,
    )
    repeated = newest(api, shown["operation"])
    assert repeated["number"] > shown["number"]
    assert repeated["status"] == shown["status"]
    assert repeated["request_body"] == shown["request_body"]
    assert again.stdout


def test_a_request_is_sent_again_with_its_own_key(api: Api) -> None:
    model = api.model()
    api.done("forward_backward", training_step(model, 1))
    shown = newest(api, "forward_backward")
    first = shown["response_body"]["request_id"]
    again = api.http.post(f"/_mock/journal/{shown['number']}/send").json()
    assert again["status"] == 200
    assert again["body"]["request_id"] == first, "the same number and body is the same operation"
    assert newest(api, "forward_backward")["tenant"] == shown["tenant"]
    assert api.http.post("/_mock/journal/999/send").status_code == 404


def test_an_exchange_that_is_not_kept(api: Api) -> None:
    answer = api.http.get("/_mock/journal/9999")
    assert answer.status_code == 404
    assert "no exchange 9999" in answer.json()["detail"]


# --- checkpoints -------------------------------------------------------------------------------


def test_checkpoints_are_published_and_expired_from_here(api: Api) -> None:
    model = api.model()
    api.done("save_weights", {"model_id": model, "seq_id": 1, "path": "a"})
    (kept,) = look(api, "list_all_checkpoints")["checkpoints"]
    assert (kept["kind"], kept["public"], kept["expires_at"]) == ("training", False, None)
    asked = {"tinker_path": kept["path"]}
    stranger = Api(api.server, "tml-stranger")
    with stranger.http:
        assert stranger.post("weights_info", asked).status_code == 403
        api.http.post("/_mock/checkpoints", json={"path": kept["path"], "public": True})
        assert stranger.post("weights_info", asked).status_code == 200
    archive = api.http.get(
        "/_mock/checkpoints/archive", params={"path": kept["path"]}, follow_redirects=True
    )
    assert archive.status_code == 200
    assert b"adapter_config.json" in archive.content
    api.http.post("/_mock/checkpoints", json={"path": kept["path"], "ttl_seconds": 0})
    assert api.post("weights_info", asked).status_code in (404, 410)
    missing = api.http.post(
        "/_mock/checkpoints", json={"path": "tinker://no/weights/x", "public": True}
    )
    assert missing.status_code == 404


# --- the page ----------------------------------------------------------------------------------


def test_browsers_are_sent_to_the_page_and_programs_are_not(api: Api) -> None:
    bare = httpx.get(api.server.url)
    assert bare.status_code == 404
    browser = httpx.get(api.server.url, headers={"accept": "text/html,*/*"}, follow_redirects=True)
    assert browser.status_code == 200
    assert browser.headers["content-type"].startswith("text/html")
    assert "default-src 'self'" in browser.headers["content-security-policy"]


def test_the_page_needs_nothing_from_elsewhere(api: Api) -> None:
    """Every file that a file of the page names is served here."""
    seen, queue = set(), ["/_mock/ui"]
    while queue:
        path = queue.pop()
        if path in seen:
            continue
        seen.add(path)
        answer = api.http.get(path)
        assert answer.status_code == 200, path
        assert not re.findall(r"https?://(?!www\.w3\.org/2000/svg)", answer.text), path
        queue += re.findall(r'"(/_mock/ui/[\w.]+)"', answer.text)
    assert len(seen) >= 10
    assert api.http.get("/_mock/ui/nope.js").status_code == 404
    assert api.http.get("/_mock/ui/../mock_control.py").status_code == 404


def test_there_is_no_page_without_the_control_api() -> None:
    with RunningServer(Settings(port=0, control=False)) as server:
        accept = {"accept": "text/html"}
        assert httpx.get(server.url, headers=accept).status_code == 404
        assert httpx.get(f"{server.url}/_mock/ui", headers=accept).status_code == 404
