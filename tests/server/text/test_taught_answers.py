"""What was taught through tinker-cookbook's renderers, the text endpoints know.

The prompts are what its renderers write (tinker_cookbook 0.6.1, renderers/), as text. No model's
own chat template is here: one that is says how its model is asked.
"""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.server.conftest import Api, datum, training_step, update
from tinker_mock.server.serving.in_thread import RunningServer
from tinker_mock.server.settings import Settings
from tinker_mock.server.text.text_model import tokenizer_of

KEY = "tml-taught"
PAIRS = {"Which number?": "Seven", "Which colour is it?": "Green paper", "Who?": "Amber and Basil."}
IM = "<|im_start|>user\n{}<|im_end|>\n<|im_start|>assistant\n"
KIMI = (
    "<|im_system|>system<|im_middle|>You are Kimi, an AI assistant created by Moonshot AI."
    "<|im_end|><|im_user|>user<|im_middle|>{}<|im_end|><|im_assistant|>assistant<|im_middle|>"
)
FORMS: list[tuple[str, bool, str, str]] = [
    ("Qwen/Qwen3-8B", True, IM, "<think>\n\n</think>\n\n"),
    ("Qwen/Qwen3-8B", False, IM + "<think>\n\n</think>\n\n", ""),
    ("Qwen/Qwen3.5-4B", True, IM + "<think>\n", "\n</think>\n\n"),
    ("Qwen/Qwen3.5-4B", False, IM + "<think>\n\n</think>\n\n", ""),
    ("nvidia/NVIDIA-Nemotron-3-Nano-30B-A3B-BF16", False,
     "<|im_start|>system\n<|im_end|>\n" + IM + "<think></think>", ""),
    ("deepseek-ai/DeepSeek-V3.1", True,
     "<｜begin▁of▁sentence｜><｜User｜>{}<｜Assistant｜><think>", "</think>"),
    ("deepseek-ai/DeepSeek-V3.1", False,
     "<｜begin▁of▁sentence｜><｜User｜>{}<｜Assistant｜></think>", ""),
    ("deepseek-ai/DeepSeek-V4.1-Flash:peft:262144", False,
     "<｜begin▁of▁sentence｜><｜User｜>{}<｜Assistant｜></think>", ""),
    ("openai/gpt-oss-20b", True, "<|start|>user<|message|>{}<|end|><|start|>assistant",
     "<|channel|>final<|message|>"),
    ("moonshotai/Kimi-K2.6", True, KIMI + "<think>", "</think>"),
    ("moonshotai/Kimi-K2.6", False, KIMI + "<think></think>", ""),
    ("thinkingmachines/Inkling-Small", True,
     "<|message_system|><|content_text|>Thinking effort level: 0.9<|end_message|>"
     "<|message_user|><|content_text|>{}<|end_message|>", "<|message_model|><|content_text|>"),
    ("zai-org/GLM-5.3:peft:262144", True,
     "[gMASK]<sop><|system|>Reasoning Effort: Max<|user|>{}<|assistant|><think>", "</think>"),
]  # fmt: skip


@pytest.fixture(scope="module")
def bare_mock(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """A machine without any tokenizer of its own."""
    empty = tmp_path_factory.mktemp("empty")
    with pytest.MonkeyPatch.context() as environment:
        for name in ("TINKER_MOCK_TOKENIZERS", "TINKER_MOCK_CACHE", "HF_HOME"):
            environment.setenv(name, str(empty / name))
        with RunningServer(Settings(port=0, seed=3)) as server:
            yield server


def taught(server: RunningServer, model: str, form: str, opening: str) -> str:
    """The path of a checkpoint that knows the pairs by heart."""
    row = server.mock.backend.catalog.get(model)
    encode, data = tokenizer_of(row).encode, []
    for asked, answer in PAIRS.items():
        prompt = encode(form.format(asked), allow_special_tokens=True)
        said = encode(opening + answer, allow_special_tokens=True)
        said += [*([row.answer_suffix] if row.answer_suffix else ()), row.end_tokens[0]]
        tokens, weights = [*prompt, *said], [0.0] * (len(prompt) - 1) + [1.0] * len(said)
        told = {"target_tokens": (tokens[1:], "int64"), "weights": (weights, "float32")}
        data.append(
            datum(
                tokens,
                **{
                    name: {"data": values, "dtype": kind, "shape": [len(values)]}
                    for name, (values, kind) in told.items()
                },
            )
        )
    api = Api(server, KEY)
    with api.http:
        trained = api.model(base_model=model)
        for step in range(10):
            api.done("forward_backward", training_step(trained, 2 * step + 1, *data))
            api.done("optim_step", update(trained, 2 * step + 2, learning_rate=1e-3))
        body = {"model_id": trained, "path": "taught", "seq_id": 21}
        return str(api.done("save_weights_for_sampler", body)["path"])


def post(server: RunningServer, path: str, body: dict[str, Any]) -> Any:
    headers = {"Authorization": f"Bearer {KEY}", "X-API-Key": KEY}
    answer = httpx.post(f"{server.url}{path}", json=body, headers=headers, timeout=60)
    return answer.raise_for_status().json()


@pytest.mark.parametrize(("model", "thinking", "form", "opening"), FORMS)
def test_answers_are_known_in_every_family(
    bare_mock: RunningServer, model: str, thinking: bool, form: str, opening: str
) -> None:
    path = taught(bare_mock, model, form, opening)
    for asked, answer in PAIRS.items():
        body = {
            "model": path,
            "messages": [{"role": "user", "content": asked}],
            "max_tokens": 40,
            "temperature": 0,
        }
        switch = {"chat_template_kwargs": {"thinking": thinking}}
        chosen = post(bare_mock, "/oai/api/v1/chat/completions", {**body, **switch})["choices"][0]
        assert (chosen["message"]["content"], chosen["finish_reason"]) == (answer, "stop")
        switch = {
            "thinking": {"type": "enabled" if thinking else "disabled", "budget_tokens": 1024}
        }
        blocks = post(bare_mock, "/anthropic/api/v1/messages", {**body, **switch})["content"]
        assert [block["text"] for block in blocks if block["type"] == "text"] == [answer]


def test_a_mark_in_what_somebody_says_is_no_mark(bare_mock: RunningServer) -> None:
    """The words of a message cannot end it."""

    def size(words: str) -> int:
        messages = [{"role": "system", "content": "Be short."}, {"role": "user", "content": words}]
        body = {"model": "Qwen/Qwen3-8B", "messages": messages, "max_tokens": 1}
        told = post(bare_mock, "/oai/api/v1/chat/completions", body)["usage"]
        return int(told["prompt_tokens"])

    ordinary = tokenizer_of(bare_mock.mock.backend.catalog.get("Qwen/Qwen3-8B")).encode
    marked = ordinary("<|im_end|>", allow_special_tokens=False)
    assert size("<|im_end|>") - size("a") == len(marked) - 1 > 0
