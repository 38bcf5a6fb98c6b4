"""The rows of the service's error reference, by status, words and code."""

from typing import Any

import numpy as np
import pytest

from tests.server.conftest import BASE, TOKENS, Api, sample
from tests.server.handlers.test_training_over_http import PROTOBUF, protobuf_step
from tinker_mock.server.serving.in_thread import RunningServer

NO_PARTS = {"train_unembed": False, "train_mlp": False, "train_attn": False}
CREATIONS: dict[str, tuple[dict[str, Any], int, str]] = {
    "no base model": ({"base_model": None}, 400, "base_model is required"),
    "a rank of 0": ({"lora_config": {"rank": 0}}, 400, "lora_config.rank must be positive"),
    "a rank of 48": ({"lora_config": {"rank": 48}}, 400, "lora_config.rank must be a power of 2"),
    "no parts": (
        {"lora_config": {"rank": 8, **NO_PARTS}},
        400,
        "At least one of train_unembed, train_mlp, or train_attn must be True",
    ),
    "no session": (
        {"session_id": None},
        400,
        "session_id is required. The version of the Tinker SDK you are using is no longer "
        "supported.",
    ),
    "a session that is not there": ({"session_id": "nobody's"}, 403, "Invalid session_id"),
}


@pytest.mark.parametrize("case", CREATIONS)
def test_a_creation_is_refused_with_the_references_words(api: Api, case: str) -> None:
    change, status, words = CREATIONS[case]
    body = {"session_id": api.session(), "model_seq_id": 0, "base_model": BASE, **change}
    refused = api.post("create_model", {k: v for k, v in body.items() if v is not None})
    assert refused.status_code == status
    assert refused.json()["error"]["message"] == words
    assert refused.json()["detail"].startswith(words)


def test_one_part_is_enough(api: Api) -> None:
    for number, part in enumerate(NO_PARTS):
        api.model(number=number, lora_config={"rank": 8, **NO_PARTS, part: True})


def test_a_prompt_beyond_the_context_has_its_numbers_and_its_code(api: Api) -> None:
    prompt = {"chunks": [{"tokens": [7] * 32_760}]}
    body = sample(api.sampler(), 0, prompt=prompt, sampling_params={"max_tokens": 100})
    refused = api.post("asample", body)
    assert refused.status_code == 400
    assert refused.json()["error"]["message"] == (
        "Prompt length plus max_tokens exceeds the model's context window: 32760 + 100 > 32768"
    )
    assert refused.json()["error"]["reason"] == "PromptTooLong"


def test_numbers_that_are_not_finite_have_their_code(api: Api) -> None:
    message = protobuf_step(api.model(), 1)
    weights = message.data[0].loss_fn_inputs["weights"]
    weights.dense = np.array([1.0] * (len(TOKENS) - 2) + [np.nan], dtype="<f4").tobytes()
    headers = {"Content-Type": PROTOBUF}
    content = message.SerializeToString()
    posted = api.http.post("/api/v1/forward_backward", content=content, headers=headers)
    failed = api.outcome(posted.json()["request_id"])
    assert failed["category"] == "user"
    assert failed["error"].startswith("NonFiniteInTensor: data[0].loss_fn_inputs.weights")


def test_a_name_that_is_taken_is_a_resource_that_already_exists(api: Api) -> None:
    model = api.model()
    api.done("save_weights", {"model_id": model, "seq_id": 1, "path": "000060"})
    again = api.post("save_weights", {"model_id": model, "seq_id": 2, "path": "000060"})
    assert again.status_code == 409
    assert again.json()["detail"] == (
        f"Checkpoint '000060' already exists for model {model} in weights. "
        "Please choose a different name to avoid overwriting."
    )
    assert again.json()["error"]["reason"] == "ResourceAlreadyExists"


def test_what_is_not_there_is_not_found(api: Api) -> None:
    gone = {"model_id": "gone:train:0", "seq_id": 1, "adam_params": {"learning_rate": 1e-4}}
    assert api.post("optim_step", gone).status_code == 404
    assert api.get("sessions/gone").status_code == 404
    path = {"tinker_path": "tinker://gone:train:0/weights/a"}
    assert api.post("weights_info", path).status_code == 404


def creations(api: Api, name: str) -> list[int]:
    """The statuses of a model and of a sampler of that base model."""
    body = {"session_id": api.session(), "base_model": name}
    return [
        api.post("create_model", {**body, "model_seq_id": 0}).status_code,
        api.post("create_sampling_session", {**body, "sampling_session_seq_id": 0}).status_code,
    ]


def chat(server: RunningServer, name: str) -> int:
    api = Api(server, "tml-unknown")
    with api.http:
        headers = {"Authorization": "Bearer tml-unknown"}
        body = {"model": name, "messages": [{"role": "user", "content": "hi"}], "max_tokens": 1}
        return api.http.post("/oai/api/v1/chat/completions", json=body, headers=headers).status_code


def test_a_misspelt_base_model_is_a_bad_request(
    api: Api, tinker_mock_session: RunningServer
) -> None:
    assert creations(api, "qwen3-8b") == [400, 400]
    assert chat(tinker_mock_session, "qwen3-8b") == 400


@pytest.mark.tinker_mock(quirks=["unknown-models-not-found"])
def test_a_misspelt_base_model_is_not_found_with_the_quirk(tinker_mock: RunningServer) -> None:
    api = Api(tinker_mock, "tml-unknown")
    with api.http:
        assert creations(api, "qwen3-8b") == [404, 404]
        assert creations(api, BASE) == [200, 200]
    assert chat(tinker_mock, "qwen3-8b") == 404


@pytest.mark.tinker_mock(scenario="rate-limited")
def test_too_many_requests_are_429_with_a_time_to_come_back(tinker_mock: RunningServer) -> None:
    api = Api(tinker_mock, "tml-many")
    with api.http:
        sampler = api.sampler()
        answers = [api.post("asample", sample(sampler, number)) for number in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert 0 < float(answers[2].headers["retry-after-ms"]) <= 2000


@pytest.mark.tinker_mock(scenario="billing-pause")
def test_an_unpaid_key_is_402(tinker_mock: RunningServer) -> None:
    api = Api(tinker_mock, "tml-unpaid")
    with api.http:
        sampler = api.sampler()
        statuses = {api.post("asample", sample(sampler, n)).status_code for n in range(30)}
    assert statuses == {200, 402}
