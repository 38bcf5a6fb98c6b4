"""The text endpoints under the service's own addresses, with checkpoints, switches and options."""

from typing import Any

import httpx
import pytest

from tests.server.conftest import BASE, Api, training_step, update

PREFIX = "/services/tinker-prod"
HELLO = [{"role": "user", "content": "Hello"}]
CALLS: dict[str, dict[str, Any]] = {
    "/oai/api/v1/chat/completions": {"messages": HELLO, "max_tokens": 4},
    "/oai/api/v1/completions": {"prompt": "Hello", "max_tokens": 4},
    "/anthropic/api/v1/messages": {"messages": HELLO, "max_tokens": 4},
    "/anthropic/api/v1/messages/count_tokens": {"messages": HELLO},
}


def asked(api: Api, path: str, key: str | None = None, **body: Any) -> httpx.Response:
    """An answer to the key of the rest of the API, or to another."""
    key = api.http.headers["x-api-key"] if key is None else key
    headers = {"x-api-key": key} if "anthropic" in path else {"authorization": f"Bearer {key}"}
    return httpx.post(f"{api.server.url}{path}", json=body, headers=headers, timeout=60)


@pytest.mark.parametrize("path", CALLS)
def test_it_is_served_under_the_services_prefix_with_the_tinker_key(api: Api, path: str) -> None:
    body = {"model": BASE, **CALLS[path]}
    assert asked(api, PREFIX + path, **body).status_code == 200
    assert asked(api, PREFIX + path, key="sk-openai", **body).status_code == 401


@pytest.mark.parametrize("path", list(CALLS)[:3])
def test_a_checkpoint_is_sampled_as_it_was_saved_while_training_goes_on(
    api: Api, path: str
) -> None:
    """Greedy text of trained weights: not the base model's, and not changed by later steps."""
    model = api.model(lora_config={"rank": 8})

    def train(first: int) -> None:
        for step in range(2):
            api.done("forward_backward", training_step(model, first + 2 * step))
            api.done("optim_step", update(model, first + 2 * step + 1, learning_rate=0.5))

    def text(name: str) -> Any:
        body = {**CALLS[path], "model": name, "temperature": 0, "max_tokens": 12}
        answer = asked(api, path, **body)
        assert answer.status_code == 200, answer.text
        told = answer.json()
        return told["content"] if "content" in told else told["choices"]

    train(1)
    saved = {"model_id": model, "seq_id": 5, "path": "s"}
    checkpoint = api.done("save_weights_for_sampler", saved)["path"]
    before = text(checkpoint)
    assert before != text(BASE)
    train(6)
    assert text(checkpoint) == before
    saved = {"model_id": model, "seq_id": 10, "path": "later"}
    assert api.done("save_weights_for_sampler", saved)["path"] != checkpoint
    assert text(f"{BASE};{checkpoint}") == before


SWITCHED = (
    "Qwen/Qwen3-8B",
    "Qwen/Qwen3.5-4B",
    "Qwen/Qwen3.6-35B-A3B",
    "moonshotai/Kimi-K2.6",
    "nvidia/NVIDIA-Nemotron-3-Super-120B-A12B-BF16",
)


@pytest.mark.parametrize("model", SWITCHED)
def test_models_with_a_switch_think_or_do_not(api: Api, model: str) -> None:
    path = "/oai/api/v1/chat/completions"
    for effort, thinks in (("high", True), ("none", False)):
        body = {"model": model, "messages": HELLO, "max_tokens": 300, "seed": 1}
        told = asked(api, path, **body, reasoning_effort=effort).json()
        spent = told["usage"]["completion_tokens_details"]["reasoning_tokens"]
        assert (spent > 0) is thinks, (effort, told)
        assert bool(told["choices"][0]["message"].get("reasoning_content")) is thinks


@pytest.mark.parametrize("path", list(CALLS)[:2])
def test_temperature_and_top_p_narrow_what_is_drawn(api: Api, path: str) -> None:
    """At temperature 0, and in a nucleus of one token, nothing is left to chance."""

    def texts(**options: float) -> set[str]:
        body = {**CALLS[path], "model": BASE, "max_tokens": 12, "n": 4, **options}
        choices = asked(api, path, **body).json()["choices"]
        return {str(one.get("text", one.get("message"))) for one in choices}

    assert len(texts(temperature=1.0)) > 1
    assert texts(temperature=0) == texts(top_p=1e-9)
    assert len(texts(temperature=0)) == 1


def test_an_answer_has_no_citations(api: Api) -> None:
    told = asked(api, "/anthropic/api/v1/messages", model=BASE, messages=HELLO, max_tokens=8).json()
    assert all(not block.get("citations") for block in told["content"])
    source = {"type": "text", "media_type": "text/plain", "data": "The sky is blue."}
    document = {"type": "document", "source": source, "citations": {"enabled": True}}
    messages = [{"role": "user", "content": [document]}]
    body = {"model": BASE, "messages": messages, "max_tokens": 8}
    assert asked(api, "/anthropic/api/v1/messages", **body).status_code == 400


IGNORED: dict[str, dict[str, Any]] = {
    "speed": {"speed": "fast"},
    "a budget of thinking": {"thinking": {"type": "enabled", "budget_tokens": 1024}},
    "another budget": {"thinking": {"type": "enabled", "budget_tokens": 4096}},
    "cache control": {"system": [
        {"type": "text", "text": "Be brief.", "cache_control": {"type": "ephemeral"}}
    ]},
}  # fmt: skip


@pytest.mark.parametrize("case", IGNORED)
def test_what_is_ignored_changes_no_word(api: Api, case: str) -> None:
    plain: dict[str, Any] = {"model": BASE, "messages": HELLO, "max_tokens": 200, "temperature": 0}
    told = {**plain, **IGNORED[case]}
    if "thinking" in told:
        plain |= {"thinking": {"type": "enabled", "budget_tokens": 2048}}
    if "system" in told:
        plain |= {"system": [{"type": "text", "text": "Be brief."}]}
    path = "/anthropic/api/v1/messages"
    without, with_it = (asked(api, path, **body).json()["content"] for body in (plain, told))
    assert with_it == without
