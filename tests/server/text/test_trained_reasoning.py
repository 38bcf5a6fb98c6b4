"""What Inkling learnt to think, it thinks on the text endpoints, and stops where it learnt to."""

from typing import Any

import httpx
import pytest

from tests.server.conftest import Api, datum, training_step, update
from tinker_mock.server.serving.in_thread import RunningServer
from tinker_mock.server.text.text_model import tokenizer_of

BASE = "thinkingmachines/Inkling-Small"
KEY = "tml-trained-thoughts"
SYSTEM, USER, MODEL = 200002, 200000, 200001
TEXT, THINKING, MESSAGE_ENDS, TURN_ENDS = 200004, 200008, 200010, 200006
THOUGHT, SAID = [5012, 613, 7714, 8215, 916], [317, 4118, 519, 620]
STEPS = 24


def encoded(server: RunningServer, text: str) -> list[int]:
    return list(tokenizer_of(server.mock.backend.catalog.get(BASE)).encode(text))


def decoded(server: RunningServer, ids: list[int]) -> str:
    return tokenizer_of(server.mock.backend.catalog.get(BASE)).decode(ids)


@pytest.fixture
def checkpoint(text_mock: RunningServer) -> str:
    """Weights that know one conversation by heart, as Inkling's renderer writes it."""
    api = Api(text_mock, KEY)
    effort = [SYSTEM, TEXT, *encoded(text_mock, "Thinking effort level: 0.9"), MESSAGE_ENDS]
    question = [USER, TEXT, *encoded(text_mock, "Well?"), MESSAGE_ENDS]
    prompt = [*effort, *question]
    thought = [MODEL, THINKING, *THOUGHT, MESSAGE_ENDS]
    answer = [MODEL, TEXT, *SAID, MESSAGE_ENDS, TURN_ENDS]
    tokens = [*prompt, *thought, *answer]
    weights = [0.0] * (len(prompt) - 1) + [1.0] * (len(thought) + len(answer))
    size = len(tokens) - 1
    known = datum(
        tokens,
        target_tokens={"data": tokens[1:], "dtype": "int64", "shape": [size]},
        weights={"data": weights, "dtype": "float32", "shape": [size]},
    )
    model = api.model(base_model=BASE)
    for step in range(STEPS):
        api.done("forward_backward", training_step(model, 2 * step + 1, known))
        api.done("optim_step", update(model, 2 * step + 2, learning_rate=0.05))
    body = {"model_id": model, "path": "thoughts", "seq_id": 2 * STEPS + 1}
    path = str(api.done("save_weights_for_sampler", body)["path"])
    api.http.close()
    return path


def asked(server: RunningServer, model: str, **more: Any) -> Any:
    body = {
        "model": model,
        "messages": [{"role": "user", "content": "Well?"}],
        "max_tokens": 100,
        "temperature": 0,
        "seed": 1,
        **more,
    }
    url = f"{server.url}/oai/api/v1/chat/completions"
    headers = {"Authorization": f"Bearer {KEY}"}
    return httpx.post(url, json=body, headers=headers, timeout=60).raise_for_status().json()


def test_a_learnt_thought_comes_before_the_learnt_answer(
    text_mock: RunningServer, checkpoint: str
) -> None:
    answer = asked(text_mock, checkpoint)
    message = answer["choices"][0]["message"]
    assert message["reasoning_content"] == decoded(text_mock, THOUGHT)
    assert message["content"] == decoded(text_mock, SAID)
    assert answer["choices"][0]["finish_reason"] == "stop"
    # The thought and its end, then what says and ends the answer.
    spent = len(THOUGHT) + 1 + len(SAID) + 2
    assert answer["usage"]["completion_tokens"] == spent
    assert answer["usage"]["completion_tokens_details"]["reasoning_tokens"] == len(THOUGHT) + 1


def test_a_little_effort_cuts_a_learnt_thought(text_mock: RunningServer, checkpoint: str) -> None:
    answer = asked(text_mock, checkpoint, reasoning_effort=0.03)
    message = answer["choices"][0]["message"]
    assert message["reasoning_content"] == decoded(text_mock, THOUGHT[:2])
    assert message["content"] == decoded(text_mock, SAID)
