"""What Inkling learnt to think, it thinks on the text endpoints, and stops where it learnt to."""

from typing import Any

import httpx
import pytest

from tests.server.conftest import Api, datum, training_step, update
from tinker_mock.server.serving.in_thread import RunningServer
from tinker_mock.server.text.text_model import tokenizer_of

BASE = "thinkingmachines/Inkling-Small"
KEY = "tml-trained-thoughts"
MODEL_BEGINS, THINKING, TEXT, MESSAGE_ENDS, TURN_ENDS = 200001, 200008, 200004, 200010, 200006
THOUGHT, SAID = [5012, 613, 7714, 8215, 916], [90317, 94118, 90519, 90620]


@pytest.fixture
def checkpoint(text_mock: RunningServer) -> str:
    """Weights that know one thought and one answer by heart."""
    api = Api(text_mock, KEY)
    thought = [MODEL_BEGINS, THINKING, *THOUGHT, MESSAGE_ENDS]
    answer = [MODEL_BEGINS, TEXT, *SAID, MESSAGE_ENDS, TURN_ENDS]
    known = datum([MESSAGE_ENDS, *thought, *answer])
    model = api.model(base_model=BASE)
    for step in range(12):
        api.done("forward_backward", training_step(model, 2 * step + 1, known))
        api.done("optim_step", update(model, 2 * step + 2, learning_rate=0.5))
    body = {"model_id": model, "path": "thoughts", "seq_id": 25}
    path = str(api.done("save_weights_for_sampler", body)["path"])
    api.http.close()
    return path


def decoded(server: RunningServer, ids: list[int]) -> str:
    return tokenizer_of(server.mock.backend.catalog.get(BASE)).decode(ids)


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
    # The thought and its end, then what opens, says and ends the answer.
    spent = len(THOUGHT) + 1 + 2 + len(SAID) + 2
    assert answer["usage"]["completion_tokens"] == spent
    assert answer["usage"]["completion_tokens_details"]["reasoning_tokens"] == len(THOUGHT) + 1


def test_a_little_effort_cuts_a_learnt_thought(text_mock: RunningServer, checkpoint: str) -> None:
    answer = asked(text_mock, checkpoint, reasoning_effort=0.03)
    message = answer["choices"][0]["message"]
    assert message["reasoning_content"] == decoded(text_mock, THOUGHT[:2])
    assert message["content"] == decoded(text_mock, SAID)
