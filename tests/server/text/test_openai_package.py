"""The official openai package, unmodified, over a socket."""

import json
import re
from collections.abc import Iterator
from typing import Any

import jsonschema_rs
import openai
import pytest

from tinker_mock.server.serving.in_thread import RunningServer
from tinker_mock.server.settings import Settings

EFFECT, KEY = "X-Tinker-Mock-Effect", "tml-text-tests"

MODEL = "Qwen/Qwen3-8B"
HELLO: list[Any] = [{"role": "user", "content": "Hello"}]


@pytest.fixture(scope="module")
def client(openai_url: str) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(api_key=KEY, base_url=openai_url, max_retries=0) as client:
        yield client


def detail(error: openai.APIStatusError) -> str:
    """The sentence of a refusal, which the package keeps in the body."""
    assert isinstance(error.body, dict)
    return str(error.body["detail"])


def test_models_are_listed_and_found_by_name(client: openai.OpenAI) -> None:
    names = [model.id for model in client.models.list()]
    assert MODEL in names
    assert client.models.retrieve(MODEL).owned_by == "Qwen"
    with pytest.raises(openai.NotFoundError) as unknown:
        client.models.retrieve("Qwen/Qwen3-9B")
    assert "did you mean" in detail(unknown.value)


def test_a_seeded_chat_says_the_same_whole_and_streamed(client: openai.OpenAI) -> None:
    asked: dict[str, Any] = {"model": MODEL, "messages": HELLO, "seed": 5, "max_tokens": 60}
    whole = client.chat.completions.create(**asked)
    again = client.chat.completions.create(**asked)
    message = whole.choices[0].message
    assert message.content
    assert message.model_extra is not None
    assert message.model_extra["reasoning_content"]
    assert again.choices[0].message == message
    assert whole._request_id == whole.id
    assert whole.usage is not None
    assert whole.usage.total_tokens == whole.usage.prompt_tokens + whole.usage.completion_tokens
    with client.chat.completions.stream(**asked, stream_options={"include_usage": True}) as stream:
        final = stream.get_final_completion()
    assert final.choices[0].message.content == message.content
    assert final.choices[0].finish_reason == whole.choices[0].finish_reason == "stop"
    assert final.usage == whole.usage


def test_unseeded_answers_differ_and_n_gives_as_many(client: openai.OpenAI) -> None:
    first = client.chat.completions.create(model=MODEL, messages=HELLO, n=3, max_tokens=40)
    second = client.chat.completions.create(model=MODEL, messages=HELLO, n=3, max_tokens=40)
    texts = [choice.message.content for answer in (first, second) for choice in answer.choices]
    assert len(texts) == 6
    assert len(set(texts)) > 3


def test_a_stop_string_is_cut_off(client: openai.OpenAI) -> None:
    asked: dict[str, Any] = {"model": MODEL, "prompt": "Once", "seed": 2, "max_tokens": 30}
    text = client.completions.create(**asked).choices[0].text
    stop = text[len(text) // 2 :][:3]
    cut = client.completions.create(**asked, stop=[stop]).choices[0]
    assert cut.text == text[: text.index(stop)]
    assert cut.finish_reason == "stop"
    streamed = client.completions.create(**asked, stop=[stop], stream=True)
    assert "".join(chunk.choices[0].text for chunk in streamed) == cut.text


def test_a_limit_ends_with_length(client: openai.OpenAI) -> None:
    answer = client.completions.create(model=MODEL, prompt=[1, 2, 3], max_tokens=4, temperature=0)
    assert answer.choices[0].finish_reason == "length"
    assert answer.usage is not None
    assert (answer.usage.prompt_tokens, answer.usage.completion_tokens) == (3, 4)


def test_chat_logprobs_are_the_models(client: openai.OpenAI) -> None:
    answer = client.chat.completions.create(
        model="Qwen/Qwen3-8B",
        messages=HELLO,
        reasoning_effort="none",
        logprobs=True,
        top_logprobs=3,
        max_tokens=12,
        seed=1,
    )
    logprobs = answer.choices[0].logprobs
    assert logprobs is not None
    assert logprobs.content is not None
    assert logprobs.content
    for token in logprobs.content:
        assert token.logprob <= 0
        tops = [one.logprob for one in token.top_logprobs]
        assert tops == sorted(tops, reverse=True)
        assert len(tops) == 3
    joined = b"".join(bytes(token.bytes or []) for token in logprobs.content)
    said = joined.decode("utf-8", "replace").lstrip("\n")  # the template's own are not shown
    assert said == answer.choices[0].message.content


def test_completion_logprobs_and_echo(client: openai.OpenAI) -> None:
    answer = client.completions.create(
        model=MODEL, prompt="Once upon", max_tokens=3, logprobs=2, echo=True, seed=1
    )
    choice = answer.choices[0]
    assert choice.text.startswith("Once upon")
    assert choice.logprobs is not None
    assert choice.logprobs.token_logprobs is not None
    assert choice.logprobs.token_logprobs[0] is None
    assert all(p <= 0 for p in choice.logprobs.token_logprobs[1:])
    assert choice.logprobs.text_offset is not None
    assert choice.logprobs.text_offset[0] == 0


def answered(call: Any) -> dict[str, Any]:
    return {"role": "tool", "tool_call_id": call.id, "content": '{"ok": true}'}


@pytest.mark.parametrize("model", [MODEL, "moonshotai/Kimi-K2.6"])
def test_a_tool_loop_of_three_turns(
    client: openai.OpenAI, model: str, weather: dict[str, Any], stocks: dict[str, Any]
) -> None:
    tools: Any = [{"type": "function", "function": one} for one in (weather, stocks)]
    messages: list[Any] = [{"role": "user", "content": "What is the weather in Paris?"}]
    ids = []
    for wanted in ("get_weather", "lookup_stock"):
        answer = client.chat.completions.create(
            model=model, messages=messages, tools=tools, max_tokens=400
        )
        choice = answer.choices[0]
        assert choice.finish_reason == "tool_calls"
        assert choice.message.tool_calls is not None
        call: Any = choice.message.tool_calls[0]
        assert call.function.name == wanted
        schema = weather if wanted == "get_weather" else stocks
        jsonschema_rs.validate(schema["parameters"], json.loads(call.function.arguments))
        ids.append(call.id)
        messages += [choice.message, answered(call)]
        final = client.chat.completions.create(
            model=model, messages=messages, tools=tools, max_tokens=300
        ).choices[0]
        assert final.finish_reason == "stop"
        assert not final.message.tool_calls
        messages += [final.message, {"role": "user", "content": "And the price of the stock?"}]
    if "Kimi" in model:
        assert ids == ["functions.get_weather:0", "functions.lookup_stock:1"]


def test_streamed_tool_calls_equal_whole_ones(
    client: openai.OpenAI, weather: dict[str, Any]
) -> None:
    asked: dict[str, Any] = {
        "model": MODEL,
        "messages": HELLO,
        "tools": [{"type": "function", "function": weather}],
        "tool_choice": {"type": "function", "function": {"name": "get_weather"}},
        "seed": 4,
    }
    whole = client.chat.completions.create(**asked).choices[0].message.tool_calls
    with client.chat.completions.stream(**asked) as stream:
        streamed = stream.get_final_completion().choices[0].message.tool_calls
    assert whole is not None
    assert streamed is not None
    assert streamed[0].id == whole[0].id
    assert streamed[0].function.arguments == whole[0].function.arguments  # type: ignore[union-attr]


def test_tool_choice_none_and_a_question_about_nothing_call_nothing(
    client: openai.OpenAI, weather: dict[str, Any]
) -> None:
    tools: Any = [{"type": "function", "function": weather}]
    for choice, question in (("none", "weather in Rome?"), ("auto", "Tell me a joke.")):
        answer = client.chat.completions.create(
            model=MODEL,
            messages=[{"role": "user", "content": question}],
            tools=tools,
            tool_choice=choice,  # type: ignore[arg-type]
            max_tokens=300,
        )
        assert answer.choices[0].finish_reason == "stop"
        assert not answer.choices[0].message.tool_calls


def test_a_structured_answer_satisfies_its_schema(client: openai.OpenAI) -> None:
    schema = {
        "type": "object",
        "properties": {
            "name": {"type": "string"},
            "tags": {"type": "array", "items": {"type": "string"}, "minItems": 2},
            "score": {"type": "number", "minimum": 0, "maximum": 1},
        },
        "required": ["name", "tags", "score"],
        "additionalProperties": False,
    }
    form: Any = {"type": "json_schema", "json_schema": {"name": "x", "schema": schema}}
    answer = client.chat.completions.create(
        model=MODEL, messages=HELLO, response_format=form, logprobs=True, max_tokens=600
    ).choices[0]
    jsonschema_rs.validate(schema, json.loads(answer.message.content or ""))
    assert answer.logprobs is not None
    assert all(token.logprob < 0 for token in answer.logprobs.content or ())
    loose = client.chat.completions.create(
        model=MODEL, messages=HELLO, response_format={"type": "json_object"}, max_tokens=600
    ).choices[0]
    assert isinstance(json.loads(loose.message.content or ""), dict)


def test_errors_arrive_as_the_packages_own(client: openai.OpenAI, openai_url: str) -> None:
    ask = client.chat.completions.create
    with pytest.raises(openai.BadRequestError) as unknown:
        ask(model="nobody/knows", messages=HELLO)
    assert "unknown base model 'nobody/knows'" in detail(unknown.value)
    with pytest.raises(openai.BadRequestError) as long:
        ask(model=MODEL, messages=HELLO, max_tokens=40_000)
    assert re.search(r"context window: \d+ \+ 40000 > 32768", detail(long.value))
    with pytest.raises(openai.BadRequestError) as wrong:
        ask(model=MODEL, messages=HELLO, temperature=7)
    assert detail(wrong.value).startswith("temperature: ")
    with pytest.raises(openai.RateLimitError) as limited:
        ask(model=MODEL, messages=HELLO, extra_headers={EFFECT: "return-429-after-1s"})
    assert limited.value.response.headers["retry-after"] == "1"
    with pytest.raises(openai.InternalServerError):
        ask(model=MODEL, messages=HELLO, extra_headers={EFFECT: "return-503"})
    with (
        openai.OpenAI(api_key="sk-wrong", base_url=openai_url) as stranger,
        pytest.raises(openai.AuthenticationError),
    ):
        stranger.models.list()


def test_an_error_is_a_detail_and_nothing_else(client: openai.OpenAI) -> None:
    with pytest.raises(openai.BadRequestError) as refused:
        client.chat.completions.create(model="nobody/knows", messages=HELLO)
    assert isinstance(refused.value.body, dict)
    assert list(refused.value.body) == ["detail"]
    assert (refused.value.code, refused.value.param, refused.value.type) == (None, None, None)


def test_with_the_quirk_errors_are_openais() -> None:
    with (
        RunningServer(Settings(port=0, quirks=["openai-errors"])) as server,
        openai.OpenAI(api_key=KEY, base_url=f"{server.url}/oai/api/v1") as client,
    ):
        ask = client.chat.completions.create
        with pytest.raises(openai.NotFoundError) as unknown:
            ask(model="nobody/knows", messages=HELLO)
        assert unknown.value.code == "model_not_found"
        with pytest.raises(openai.BadRequestError) as long:
            ask(model=MODEL, messages=HELLO, max_tokens=40_000)
        assert long.value.code == "context_length_exceeded"
        with pytest.raises(openai.BadRequestError, match="temperature") as wrong:
            ask(model=MODEL, messages=HELLO, temperature=7)
        assert wrong.value.param == "temperature"
        with pytest.raises(openai.BadRequestError, match="best_of") as unsupported:
            client.completions.create(model=MODEL, prompt="Once", best_of=2)
        assert (unsupported.value.param, unsupported.value.code) == (
            "best_of",
            "unsupported_parameter",
        )
        with (
            openai.OpenAI(api_key="sk-wrong", base_url=f"{server.url}/oai/api/v1") as stranger,
            pytest.raises(openai.AuthenticationError) as refused,
        ):
            stranger.models.list()
        assert refused.value.code == "invalid_api_key"


def test_an_error_in_the_middle_of_a_stream_is_raised(client: openai.OpenAI) -> None:
    effect = {EFFECT: "break-stream-after-3-events"}
    stream = client.chat.completions.create(
        model=MODEL, messages=HELLO, stream=True, max_tokens=200, extra_headers=effect
    )
    seen = []
    with pytest.raises(openai.APIError, match="in the middle of its answer"):
        seen.extend(stream)
    assert len(seen) == 3


def test_the_same_under_the_services_prefix(text_mock: Any) -> None:
    url = f"{text_mock.url}/services/tinker-prod/oai/api/v1"
    with openai.OpenAI(api_key=KEY, base_url=url) as client:
        answer = client.completions.create(model=MODEL, prompt="Hi", max_tokens=2)
    assert answer.object == "text_completion"


UNSUPPORTED: dict[str, Any] = {"suffix": " the end.", "best_of": 2}
UNCHANGED: dict[str, Any] = {
    "presence_penalty": 0,
    "frequency_penalty": 0.0,
    "logit_bias": {"50256": 0},
    "suffix": "",
    "best_of": 1,
}


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("name", UNSUPPORTED)
def test_what_is_not_simulated_is_refused(client: openai.OpenAI, name: str, stream: bool) -> None:
    asked: dict[str, Any] = {"model": MODEL, "prompt": "Once", "max_tokens": 4, "stream": stream}
    with pytest.raises(openai.BadRequestError) as refused:
        client.completions.create(**asked, **{name: UNSUPPORTED[name]})
    assert re.search(f"{name}: .*must be.*leave {name} out", detail(refused.value))


@pytest.mark.parametrize("name", UNCHANGED)
def test_values_that_change_nothing_are_accepted(client: openai.OpenAI, name: str) -> None:
    asked: dict[str, Any] = {"model": MODEL, "prompt": "Once", "max_tokens": 4, "seed": 6}
    plain, same = (client.completions.create(**asked, **more) for more in ({}, {name: None}))
    zero = client.completions.create(**asked, **{name: UNCHANGED[name]})
    texts = [answer.choices[0].text for answer in (plain, same, zero)]
    assert texts == [texts[0]] * 3


def test_a_bias_forces_a_token_and_its_logprob_says_so(client: openai.OpenAI) -> None:
    asked: dict[str, Any] = {"model": MODEL, "prompt": "Once", "max_tokens": 6, "seed": 6}
    forced = client.completions.create(**asked, logit_bias={"500": 100}, logprobs=2).choices[0]
    assert forced.logprobs is not None
    assert forced.logprobs.tokens is not None
    assert forced.logprobs.token_logprobs == pytest.approx([0.0] * 6, abs=1e-6)
    assert len(set(forced.logprobs.tokens)) == 1
    banned = client.completions.create(**asked, logit_bias={"500": -100}, logprobs=0).choices[0]
    assert banned.logprobs is not None
    assert banned.logprobs.tokens is not None
    assert forced.logprobs.tokens[0] not in banned.logprobs.tokens


def test_penalties_hold_over_a_whole_answer(client: openai.OpenAI) -> None:
    """Greedy, with one token far ahead: the penalty grows with every repetition until it yields."""
    asked: dict[str, Any] = {"model": MODEL, "prompt": "Once", "max_tokens": 40, "temperature": 0}
    biased = {**asked, "seed": 1, "logit_bias": {"500": 60}, "logprobs": 0}
    kept = client.completions.create(**biased, presence_penalty=2).choices[0].logprobs
    worn = client.completions.create(**biased, frequency_penalty=2).choices[0].logprobs
    assert kept is not None
    assert worn is not None
    assert kept.tokens is not None
    assert worn.tokens is not None
    assert set(kept.tokens) == {kept.tokens[0]}
    assert 20 < worn.tokens.count(kept.tokens[0]) < 40


def test_a_penalised_chat_says_the_same_whole_and_streamed(client: openai.OpenAI) -> None:
    asked: dict[str, Any] = {"model": MODEL, "messages": HELLO, "seed": 5, "max_tokens": 40}
    asked |= {"presence_penalty": 1.5, "frequency_penalty": 0.5, "reasoning_effort": "none"}
    whole = client.chat.completions.create(**asked).choices[0].message.content
    chunks = client.chat.completions.create(**asked, stream=True)
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == whole


@pytest.mark.parametrize("token", ["x", "-1", "\u0661", "999999999", "9" * 5000])
def test_a_bias_needs_an_id_of_the_model(client: openai.OpenAI, token: str) -> None:
    asked: dict[str, Any] = {"model": MODEL, "prompt": "Once", "max_tokens": 4}
    with pytest.raises(openai.BadRequestError) as refused:
        client.completions.create(**asked, logit_bias={token: 1})
    assert re.search(r"logit_bias: .*token", detail(refused.value))
