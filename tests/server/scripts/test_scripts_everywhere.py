"""One script, every way to ask: native, streamed, OpenAI's and Anthropic's form, all families."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.server.conftest import Api
from tinker_mock.server.catalog import Catalog
from tinker_mock.server.serving.in_thread import RunningServer
from tinker_mock.server.settings import Settings
from tinker_mock.server.tokenizers import tokenizer_for

CATALOG = Catalog.load()
CHAT = sorted((m for m in CATALOG.models.values() if m.chat), key=lambda m: bool(m.thinking))
FAMILIES = {m.family: m.name for m in CHAT if m.sampleable}
QUESTION = "What is the capital of France?"
ARGUMENTS = {"query": "cats & dogs", "n": 3, "deep": {"a": [1, True, None]}}
CALL = {"name": "search", "arguments": ARGUMENTS}
TOOLS = [
    {
        "type": "function",
        "function": {
            "name": "search",
            "description": "the capital of France",
            "parameters": {"type": "object", "properties": {"query": {"type": "string"}}},
        },
    }
]
REASONED = [name for family, name in FAMILIES.items() if family not in ("llama3", "kimi_k2")]


@pytest.fixture(scope="module")
def server() -> Iterator[RunningServer]:
    with RunningServer(Settings(port=0, seed=3, include_retired=True)) as running:
        yield running


@pytest.fixture(autouse=True)
def cleared(server: RunningServer) -> Iterator[None]:
    yield
    httpx.delete(f"{server.url}/_mock/scripts", timeout=60).raise_for_status()


def put(server: RunningServer, **script: Any) -> httpx.Response:
    return httpx.post(f"{server.url}/_mock/scripts", json=script, timeout=60)


def post(server: RunningServer, path: str, body: Any) -> httpx.Response:
    headers = {"X-API-Key": "tml-scripts", "Authorization": "Bearer tml-scripts"}
    return httpx.post(f"{server.url}{path}", json=body, headers=headers, timeout=60)


def chat(server: RunningServer, model: str, **more: Any) -> dict[str, Any]:
    body = {"model": model, "messages": [{"role": "user", "content": QUESTION}], **more}
    answer = post(server, "/oai/api/v1/chat/completions", body)
    assert answer.status_code == 200, answer.text
    return dict(answer.json()["choices"][0])


def streamed_chat(server: RunningServer, model: str, **more: Any) -> dict[str, Any]:
    """The message that the deltas of a stream add up to."""
    told = {"messages": [{"role": "user", "content": QUESTION}], "stream": True, **more}
    answer = post(server, "/oai/api/v1/chat/completions", {"model": model, **told})
    message: dict[str, Any] = {"content": "", "reasoning_content": "", "tool_calls": {}}
    for line in answer.text.splitlines():
        if not line.startswith("data: {"):
            continue
        for choice in json.loads(line[6:])["choices"]:
            delta = choice["delta"]
            message["content"] += delta.get("content") or ""
            message["reasoning_content"] += delta.get("reasoning_content") or ""
            for call in delta.get("tool_calls") or ():
                kept = message["tool_calls"].setdefault(call["index"], {"name": "", "text": ""})
                kept["name"] += call["function"].get("name") or ""
                kept["text"] += call["function"].get("arguments") or ""
            message["finish_reason"] = choice.get("finish_reason")
    return message


def message(server: RunningServer, model: str, **more: Any) -> dict[str, Any]:
    told = {"max_tokens": 300, "messages": [{"role": "user", "content": QUESTION}], **more}
    answer = post(server, "/anthropic/api/v1/messages", {"model": model, **told})
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def native(server: RunningServer, model: str, prompt: list[int], **more: Any) -> list[list[int]]:
    api = Api(server, "tml-scripts")
    with api.http:
        body = {
            "sampling_session_id": api.sampler(base_model=model),
            "seq_id": 0,
            "num_samples": 1,
            "prompt": {"chunks": [{"type": "encoded_text", "tokens": prompt}]},
            "sampling_params": {"max_tokens": 64},
            **more,
        }
        return [sequence["tokens"] for sequence in api.done("asample", body)["sequences"]]


def prompt_of(model: str, lead: str = "") -> list[int]:
    row = CATALOG.get(model)
    tokenizer = tokenizer_for(row)
    assert tokenizer is not None
    return [*tokenizer.encode(QUESTION), *row.turn_prefix, *tokenizer.encode(lead)]


@pytest.mark.parametrize("model", FAMILIES.values())
def test_text_in_every_family(server: RunningServer, model: str) -> None:
    added = put(server, model=model, pattern="capital of France", completion="Paris it is")
    assert added.status_code == 201, added.text
    for thinking in (True, False):
        more = {"chat_template_kwargs": {"thinking": thinking}, "tools": TOOLS}
        choice = chat(server, model, **more)
        assert choice["message"]["content"] == "Paris it is"
        assert not choice["message"].get("tool_calls")
        assert choice["finish_reason"] == "stop"
    assert streamed_chat(server, model)["content"] == "Paris it is"
    blocks = message(server, model)["content"]
    assert blocks == [{"type": "text", "text": "Paris it is"}]
    tokenizer = tokenizer_for(CATALOG.get(model))
    assert tokenizer is not None
    for lead in ("", "Well, ", "<think>"):
        (tokens,) = native(server, model, prompt_of(model, lead))
        assert "Paris it is" in tokenizer.decode(tokens)
    (script,) = httpx.get(f"{server.url}/_mock/scripts", timeout=60).json()["scripts"]
    assert (script["matched"], script["fired"], script["fired_answers"]) == (7, 7, [7])


@pytest.mark.parametrize("model", FAMILIES.values())
def test_words_as_ids_are_said_as_text_is(server: RunningServer, model: str) -> None:
    """Behind a thought that the prompt opens it is ended first, channels and turns are opened."""
    tokenizer = tokenizer_for(CATALOG.get(model))
    assert tokenizer is not None
    words = tokenizer.encode("Paris it is")
    prompts = [prompt_of(model, lead) for lead in ("", "Well, ", "<think>", "<think>\n")]
    said = []
    for answer in ({"completion": "Paris it is"}, {"completion_tokens": words}):
        assert put(server, model=model, pattern="capital of France", **answer).status_code == 201
        said.append([native(server, model, prompt) for prompt in prompts])
    assert said[1] == said[0]
    assert streamed_chat(server, model)["content"] == "Paris it is"
    end = CATALOG.get(model).end_tokens[0]
    whole = {"completion_tokens": [*words, end], "end_turn": False}
    assert put(server, model=model, pattern="capital of France", **whole).status_code == 201
    assert native(server, model, prompts[0]) == [[*words, end]]


def test_ids_need_no_tokenizer(tmp_path: Path) -> None:
    models = tmp_path / "models.yaml"
    models.write_text(
        "models: {me/tiny: {vocabulary_size: 64, context_length: 128, end_tokens: [1]}}"
    )
    with RunningServer(Settings(port=0, models=models)) as running:
        script = {"model": "me/tiny", "pattern_tokens": [5, 6], "completion_tokens": [10, 11]}
        assert put(running, **script).status_code == 201
        assert native(running, "me/tiny", [3, 5, 6]) == [[10, 11, 1]]


@pytest.mark.parametrize("model", REASONED)
def test_reasoning_and_calls_in_every_family(server: RunningServer, model: str) -> None:
    told = {"reasoning": "Let me see.", "completion": "I look.", "tool_calls": [CALL, CALL]}
    assert put(server, model=model, pattern="capital of France", **told).status_code == 201
    choice = chat(server, model, tools=TOOLS)
    said = choice["message"]
    assert said["reasoning_content"].strip() == "Let me see."
    assert said["content"].strip() == "I look."
    assert [json.loads(c["function"]["arguments"]) for c in said["tool_calls"]] == [ARGUMENTS] * 2
    assert [call["function"]["name"] for call in said["tool_calls"]] == ["search"] * 2
    assert len({call["id"] for call in said["tool_calls"]}) == 2
    assert choice["finish_reason"] == "tool_calls"
    streamed = streamed_chat(server, model, tools=TOOLS)
    assert streamed["reasoning_content"] == said["reasoning_content"]
    assert streamed["content"] == said["content"]
    assert [json.loads(c["text"]) for c in streamed["tool_calls"].values()] == [ARGUMENTS] * 2
    blocks = message(server, model)["content"]
    kinds = [block["type"] for block in blocks]
    assert kinds == ["thinking", "text", "tool_use", "tool_use"]
    assert blocks[2]["input"] == ARGUMENTS


def test_a_base_model_has_no_header(server: RunningServer) -> None:
    model = "Qwen/Qwen3-8B-Base"
    put(server, model=model, pattern="capital of France", completion=" Paris it is")
    tokenizer = tokenizer_for(CATALOG.get(model))
    assert tokenizer is not None
    prompt = tokenizer.encode(f"User: {QUESTION}\n\nAssistant:")
    (tokens,) = native(server, model, prompt)
    assert tokenizer.decode(tokens) == " Paris it is<|endoftext|>"
    refused = put(server, model=model, pattern="x", tool_calls=[CALL])
    assert (refused.status_code, refused.json()["error"]["field"]) == (422, "/tool_calls")


def test_stream_sample_says_it_too(server: RunningServer) -> None:
    model = "Qwen/Qwen3-8B"
    put(server, model=model, pattern="capital of France", completion="Paris it is")
    api = Api(server, "tml-scripts")
    with api.http:
        body = {
            "sampling_session_id": api.sampler(base_model=model),
            "seq_id": 0,
            "prompt": {"chunks": [{"type": "encoded_text", "tokens": prompt_of(model)}]},
            "sampling_params": {"max_tokens": 64},
        }
        lines = api.post("stream_sample", body).text.splitlines()
    events = [json.loads(line[6:]) for line in lines if line.startswith("data: {")]
    text = "".join(event.get("token") or "" for event in events)
    assert text.startswith("Paris it is")


def test_a_sequence_gives_one_answer_a_call(server: RunningServer) -> None:
    model = "Qwen/Qwen3-8B"
    answers = [{"tool_calls": [CALL]}, "Paris it is"]
    put(server, model=model, pattern="capital of France", answers=answers, order="sequence")
    first, second, third = (chat(server, model, tools=TOOLS) for _ in range(3))
    assert first["finish_reason"] == "tool_calls"
    assert second["message"]["content"] == third["message"]["content"] == "Paris it is"
    (script,) = httpx.get(f"{server.url}/_mock/scripts", timeout=60).json()["scripts"]
    assert script["fired_answers"] == [1, 2]


def test_a_mixture_keeps_its_weights(server: RunningServer) -> None:
    model = "Qwen/Qwen3-8B"
    answers = [{"completion": "yes", "weight": 30}, {"completion": "no", "weight": 70}]
    put(server, model=model, pattern="capital of France", answers=answers)
    tokens = native(server, model, prompt_of(model), num_samples=400)
    (script,) = httpx.get(f"{server.url}/_mock/scripts", timeout=60).json()["scripts"]
    yes, no = script["fired_answers"]
    assert yes + no == 400
    assert 0.24 < yes / 400 < 0.36
    assert len({tuple(one) for one in tokens}) == 2


def test_a_function_answers(server: RunningServer) -> None:
    def answering(prompt: str) -> Any:
        if "France" not in prompt:
            return None
        return {"reasoning": "Easy.", "completion": f"Paris, says {prompt.model}"}  # type: ignore[attr-defined]

    script = server.answer(answering, model="Qwen/Qwen3*")
    said = chat(server, "Qwen/Qwen3-8B")["message"]
    assert (said["reasoning_content"], said["content"]) == ("Easy.", "Paris, says Qwen/Qwen3-8B")
    assert script.fired == 1


def test_cut_short_by_the_limit(server: RunningServer) -> None:
    model = "Qwen/Qwen3-8B"
    put(server, model=model, pattern="capital of France", completion="Paris it is, " * 20)
    choice = chat(server, model, max_tokens=5)
    assert choice["finish_reason"] == "length"
    assert ("Paris it is, " * 20).startswith(choice["message"]["content"])
    stopped = chat(server, model, stop=["it"])
    assert (stopped["message"]["content"], stopped["finish_reason"]) == ("Paris ", "stop")


@pytest.mark.parametrize(
    ("script", "field", "words"),
    [
        ({"pattern": "a("}, "/pattern", "regular expression"),
        ({"pattern": "<|start_header_id|>"}, "/pattern", "no mark of Qwen/Qwen3-8B"),
        ({"pattern_tokens": [999_999]}, "/pattern_tokens", "has not"),
        ({"completion": "", "completion_tokens": [160_000]}, "/completion_tokens", "never samples"),
        ({"model": "no/such"}, "/model", "unknown base model"),
        ({"model": "no/*"}, "/model", "no model on offer"),
        ({"completion": "word " * 60_000}, "/completion", "do not fit"),
        ({"model": "Qwen/Qwen3-4B-Instruct-2507", "reasoning": "hm"}, "/reasoning", "not reason"),
        ({"tool_calls": [{"name": "f", "arguments": "{"}]}, "/tool_calls/0/arguments", "JSON"),
        ({"answers": [{"completion": "a", "probability": 0.7}] * 2}, "/answers", "add up"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_what_can_never_fire_is_refused(
    server: RunningServer, script: dict[str, Any], field: str, words: str
) -> None:
    told = {"model": "Qwen/Qwen3-8B", "pattern": "x", "completion": "y", **script}
    if "pattern_tokens" in script:
        del told["pattern"]
    if "answers" in script or script.get("completion") == "":
        del told["completion"]
    refused = put(server, **told)
    assert refused.status_code == 422, refused.text
    error = refused.json()["error"]
    assert error["field"] == field
    assert words in refused.json()["detail"]


def test_an_older_script_for_the_same_is_named(server: RunningServer) -> None:
    told = {"model": "Qwen/Qwen3-8B", "pattern": "capital"}
    put(server, **told, completion="one")
    again = put(server, **told, completion="two").json()
    assert any("cannot fire any more" in warning for warning in again["warnings"])
    assert chat(server, "Qwen/Qwen3-8B")["message"]["content"] == "two"
