"""A trained checkpoint is a model of the text endpoints; scripts fix answers."""

from typing import Any

import httpx
import pytest

from tinker_mock.server.serving.in_thread import RunningServer

MODEL = "Qwen/Qwen3.5-4B"
KEY = {"X-API-Key": "tml-checkpoints"}
HELLO = [{"role": "user", "content": "Hello"}]


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
    return saved(text_mock, "save_weights_for_sampler")


def saved(text_mock: RunningServer, operation: str, base_model: str = MODEL) -> str:
    """The path of a fresh model's checkpoint."""
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
            "base_model": base_model,
            "lora_config": {"rank": 8},
            "type": "create_model",
        },
    )
    body = {"model_id": created["model_id"], "path": "words", "seq_id": 1}
    return str(settled(text_mock, operation, body)["path"])


def test_a_sampler_checkpoint_is_a_model(text_mock: RunningServer, checkpoint: str) -> None:
    body = {"model": checkpoint, "prompt": "Once", "max_tokens": 4, "seed": 1}
    answer = post(text_mock, "/oai/api/v1/completions", body).raise_for_status().json()
    assert answer["model"] == checkpoint
    models = httpx.get(f"{text_mock.url}/oai/api/v1/models", headers=KEY, timeout=60)
    [listed] = [one for one in models.json()["data"] if one["id"] == checkpoint]
    assert (listed["parent"], listed["root"], listed["owned_by"]) == (MODEL, MODEL, "tinker")
    found = httpx.get(f"{text_mock.url}/oai/api/v1/models/{checkpoint}", headers=KEY, timeout=60)
    assert found.json() == listed
    base = post(text_mock, "/oai/api/v1/completions", {**body, "model": MODEL}).json()
    assert base["choices"][0]["text"] == answer["choices"][0]["text"]  # untrained: the same


CALLS: dict[str, dict[str, Any]] = {
    "/oai/api/v1/completions": {"prompt": "Once", "seed": 1},
    "/oai/api/v1/chat/completions": {"messages": HELLO, "seed": 1},
    "/anthropic/api/v1/messages": {"messages": HELLO},
}


@pytest.mark.parametrize("path", CALLS)
def test_a_base_model_and_its_checkpoint_are_a_model(
    text_mock: RunningServer, checkpoint: str, path: str
) -> None:
    body = {**CALLS[path], "max_tokens": 4}
    name = f"{MODEL};{checkpoint}"
    answer = post(text_mock, path, {**body, "model": name}).raise_for_status().json()
    assert answer["model"] == name
    alone = post(text_mock, path, {**body, "model": checkpoint}).json()
    if "choices" in answer:  # messages have no seed
        assert answer["choices"] == alone["choices"]
    found = httpx.get(f"{text_mock.url}/oai/api/v1/models/{name}", headers=KEY, timeout=60)
    assert (found.status_code, found.json()["parent"]) == (200, MODEL)


@pytest.mark.parametrize("path", list(CALLS)[:2])
def test_the_base_model_gives_a_checkpoint_its_context(text_mock: RunningServer, path: str) -> None:
    """A prompt that is longer than 65,536 tokens."""
    base = "thinkingmachines/Inkling"
    path_alone = saved(text_mock, "save_weights_for_sampler", base)
    long = "a b c d " * 40_000
    body = {**CALLS[path], "max_tokens": 4}
    body |= {"prompt": long} if "prompt" in body else {"messages": [{**HELLO[0], "content": long}]}
    alone = post(text_mock, path, {**body, "model": path_alone})
    assert alone.status_code == 400
    assert "> 65536" in alone.json()["detail"]
    both = post(text_mock, path, {**body, "model": f"{base}:peft:262144;{path_alone}"})
    assert both.status_code == 200, both.text


@pytest.mark.parametrize("path", CALLS)
def test_a_checkpoint_runs_on_no_other_base(
    text_mock: RunningServer, checkpoint: str, path: str
) -> None:
    body = {**CALLS[path], "max_tokens": 4, "model": f"Qwen/Qwen3-8B;{checkpoint}"}
    refused = post(text_mock, path, body)
    assert refused.status_code == 400
    assert f"was trained from {MODEL}, not Qwen/Qwen3-8B" in refused.text
    unknown = post(text_mock, path, {**body, "model": f"Qwen/Qwen3-9B;{checkpoint}"})
    assert unknown.status_code == (404 if "anthropic" in path else 400)
    missing = post(text_mock, path, {**body, "model": f"{MODEL};{checkpoint}-not"})
    assert missing.status_code == 404


@pytest.mark.parametrize("path", CALLS)
def test_training_state_is_not_sampled(text_mock: RunningServer, path: str) -> None:
    state = saved(text_mock, "save_weights")
    assert "/weights/" in state
    for name in (state, f"{MODEL};{state}"):
        refused = post(text_mock, path, {**CALLS[path], "max_tokens": 4, "model": name})
        assert refused.status_code == 400
        assert "cannot be sampled" in refused.text
    malformed = {**CALLS[path], "max_tokens": 4, "model": "tinker://nothing"}
    assert post(text_mock, path, malformed).status_code == 400


def test_another_tenants_checkpoint_is_private(text_mock: RunningServer, checkpoint: str) -> None:
    stranger = {"X-API-Key": "tml-stranger"}
    body = {"model": checkpoint, "prompt": "Once", "max_tokens": 4}
    refused = post(text_mock, "/oai/api/v1/completions", body, **stranger)
    assert refused.status_code == 403
    assert "private" in refused.json()["detail"]


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
