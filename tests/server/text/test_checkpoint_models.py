"""A trained checkpoint is a model of the text endpoints; scripts fix answers."""

from typing import Any

import httpx
import pytest

from tinker_mock.server.serving.in_thread import RunningServer

MODEL = "Qwen/Qwen3.5-4B"
KEY = {"X-API-Key": "tml-checkpoints"}


def post(server: RunningServer, path: str, body: dict[str, Any], **headers: str) -> Any:
    sent = {**KEY, **headers}
    return httpx.post(f"{server.url}{path}", json=body, headers=sent, timeout=60)


def settled(server: RunningServer, operation: str, body: dict[str, Any]) -> dict[str, Any]:
    accepted = post(server, f"/api/v1/{operation}", body).raise_for_status().json()
    request = {"request_id": accepted["request_id"]}
    result: dict[str, Any] = post(server, "/api/v1/retrieve_future", request).json()
    return result


@pytest.fixture
def checkpoint(text_mock: RunningServer) -> str:
    session = post(
        text_mock,
        "/api/v1/create_session",
        {"tags": [], "user_metadata": {}, "sdk_version": "0.24.1", "type": "create_session"},
    ).json()["session_id"]
    created = settled(
        text_mock,
        "create_model",
        {
            "session_id": session,
            "model_seq_id": 0,
            "base_model": MODEL,
            "lora_config": {"rank": 8},
            "type": "create_model",
        },
    )
    saved = settled(
        text_mock,
        "save_weights_for_sampler",
        {"model_id": created["model_id"], "path": "words", "seq_id": 1},
    )
    return str(saved["path"])


def test_a_sampler_checkpoint_is_a_model(text_mock: RunningServer, checkpoint: str) -> None:
    body = {"model": checkpoint, "prompt": "Once", "max_tokens": 4, "seed": 1}
    answer = post(text_mock, "/oai/api/v1/completions", body).raise_for_status().json()
    assert answer["model"] == checkpoint
    models = httpx.get(f"{text_mock.url}/oai/api/v1/models", headers=KEY, timeout=60)
    listed = models.json()["data"]
    assert checkpoint in [one["id"] for one in listed]
    base = post(text_mock, "/oai/api/v1/completions", {**body, "model": MODEL}).json()
    assert base["choices"][0]["text"] == answer["choices"][0]["text"]  # untrained: the same


def test_another_tenant_does_not_see_it(text_mock: RunningServer, checkpoint: str) -> None:
    stranger = {"X-API-Key": "tml-stranger"}
    body = {"model": checkpoint, "prompt": "Once", "max_tokens": 4}
    refused = post(text_mock, "/oai/api/v1/completions", body, **stranger)
    assert refused.status_code == 404
    assert "no checkpoint" in refused.json()["detail"]


def test_a_script_fixes_the_answer_and_is_not_remembered(tinker_mock: RunningServer) -> None:
    ids = [104, 200, 301]
    end = tinker_mock.mock.backend.catalog.get(MODEL).end_tokens[0]
    body = {"model": MODEL, "prompt": [11, 12, 13], "max_tokens": 8, "seed": 2, "temperature": 0}
    before = post(tinker_mock, "/oai/api/v1/completions", body).json()["choices"][0]["text"]
    script = {"model": MODEL, "pattern_tokens": [12, 13], "completion_tokens": [*ids, end]}
    post(tinker_mock, "/_mock/scripts", {**script, "end_turn": False}).raise_for_status()
    scripted = post(tinker_mock, "/oai/api/v1/completions", body).json()["choices"][0]
    httpx.delete(f"{tinker_mock.url}/_mock/scripts", timeout=60)
    after = post(tinker_mock, "/oai/api/v1/completions", body).json()["choices"][0]["text"]
    assert scripted["finish_reason"] == "stop"
    assert scripted["text"] != before
    assert after == before
