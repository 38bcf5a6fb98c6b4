"""The OpenAI-compatible endpoint does what the service's documentation and witnesses say."""

import json
from collections.abc import Iterator
from typing import Any

import httpx
import openai
import pytest

from tinker_mock.server.serving.in_thread import RunningServer
from tinker_mock.server.settings import Settings

KEY = "tml-fidelity"
INKLING, QWEN = "thinkingmachines/Inkling-Small", "Qwen/Qwen3-8B"
HELLO: list[Any] = [{"role": "user", "content": "Why is the sky blue?"}]
EFFORTS = {"none": 0.0, "minimal": 0.1, "low": 0.2, "medium": 0.7, "high": 0.9, "xhigh": 0.99}


@pytest.fixture(scope="module")
def client(openai_url: str) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(api_key=KEY, base_url=openai_url, max_retries=0) as client:
        yield client


def asked(model: str = INKLING, **more: Any) -> dict[str, Any]:
    return {"model": model, "messages": HELLO, "max_tokens": 300, "seed": 11, **more}


def reasoning(answer: Any) -> str:
    return str((answer.choices[0].message.model_extra or {}).get("reasoning_content") or "")


def thoughts(answer: Any) -> int:
    return int(answer.usage.completion_tokens_details.reasoning_tokens)


# --- effort ------------------------------------------------------------------------------------


def test_inkling_reasons_by_default_as_at_high(client: openai.OpenAI) -> None:
    silent = client.chat.completions.create(**asked())
    high = client.chat.completions.create(**asked(reasoning_effort="high"))
    assert thoughts(silent) == thoughts(high) > 0
    assert reasoning(silent)
    assert silent.choices[0].message.content
    assert silent.choices[0].message.content == high.choices[0].message.content


def test_more_effort_is_more_reasoning(client: openai.OpenAI) -> None:
    """Untrained, the mock reasons 64 tokens times the effort, rounded up."""
    spent = [thoughts(client.chat.completions.create(**asked(reasoning_effort=e))) for e in EFFORTS]
    assert spent == [0, 7, 13, 45, 58, 64]


def test_a_word_means_its_number(client: openai.OpenAI) -> None:
    for word, number in EFFORTS.items():
        named = client.chat.completions.create(**asked(reasoning_effort=word))
        told = client.chat.completions.create(**asked(extra_body={"reasoning_effort": number}))
        assert (reasoning(told), told.choices[0].message.content) == (
            reasoning(named),
            named.choices[0].message.content,
        ), word


def test_none_means_no_reasoning(client: openai.OpenAI) -> None:
    for model in (INKLING, QWEN):
        for effort in ("none", 0, 0.0):
            body = asked(model, extra_body={"reasoning_effort": effort})
            assert reasoning(client.chat.completions.create(**body)) == ""


@pytest.mark.parametrize("effort", ["max", "extreme", 1, 1.0, 1.5, -0.1, True])
def test_an_effort_outside_is_refused(client: openai.OpenAI, effort: Any) -> None:
    with pytest.raises(openai.BadRequestError) as refused:
        client.chat.completions.create(**asked(extra_body={"reasoning_effort": effort}))
    assert "reasoning_effort" in str(refused.value.body)


def test_the_effort_is_told_before_the_first_message_that_is_no_systems() -> None:
    from tinker_mock.server.text.effort import with_effort

    system, user = {"role": "system", "content": "Be brief."}, HELLO[0]
    told = with_effort([system, user], 0.9)
    assert [m["content"] for m in told] == [
        "Be brief.",
        "Thinking effort level: 0.9",
        HELLO[0]["content"],
    ]
    assert with_effort([user], 0.0)[0]["content"] == "Thinking effort level: 0"


def test_reasoning_counts_against_the_limit(client: openai.OpenAI) -> None:
    cut = client.chat.completions.create(**asked(max_tokens=10))
    assert cut.choices[0].finish_reason == "length"
    assert cut.choices[0].message.content == ""
    assert cut.usage is not None
    assert (cut.usage.completion_tokens, thoughts(cut)) == (10, 10)


def test_a_stream_reasons_first_and_adds_up(client: openai.OpenAI) -> None:
    whole = client.chat.completions.create(**asked())
    stream = client.chat.completions.create(
        **asked(), stream=True, stream_options={"include_usage": True}
    )
    kinds, texts, usage = [], {"reasoning_content": "", "content": ""}, None
    for chunk in stream:
        usage = chunk.usage or usage
        for choice in chunk.choices:
            for name, text in choice.delta.model_dump(exclude_none=True).items():
                if name in texts and text:
                    kinds.append(name)
                    texts[name] += text
    assert kinds == sorted(kinds, key=["reasoning_content", "content"].index)
    assert texts["reasoning_content"] == reasoning(whole)
    assert texts["content"] == whole.choices[0].message.content
    assert usage == whole.usage


def test_inkling_reasons_before_a_call_and_before_json(
    client: openai.OpenAI, weather: dict[str, Any]
) -> None:
    tools: Any = [{"type": "function", "function": weather}]
    called = client.chat.completions.create(**asked(tools=tools, tool_choice="required"))
    assert thoughts(called) == 58
    assert called.choices[0].finish_reason == "tool_calls"
    form: Any = {"type": "json_object"}
    structured = client.chat.completions.create(**asked(response_format=form))
    assert thoughts(structured) == 58
    assert isinstance(json.loads(structured.choices[0].message.content or ""), dict)


# --- separate_reasoning ------------------------------------------------------------------------


@pytest.mark.parametrize("model", [INKLING, QWEN])
@pytest.mark.parametrize("stream", [False, True])
def test_reasoning_can_stay_in_the_content(client: openai.OpenAI, model: str, stream: bool) -> None:
    apart = client.chat.completions.create(**asked(model, extra_body={"separate_reasoning": True}))
    body = asked(model, extra_body={"separate_reasoning": False})
    content = apart.choices[0].message.content or ""
    wanted = f"<think>\n{reasoning(apart)}\n</think>\n\n{content}"
    if stream:
        chunks = list(client.chat.completions.create(**body, stream=True))
        deltas = [choice.delta for chunk in chunks for choice in chunk.choices]
        assert "".join(delta.content or "" for delta in deltas) == wanted
        assert not any((delta.model_extra or {}).get("reasoning_content") for delta in deltas)
    else:
        inline = client.chat.completions.create(**body)
        assert inline.choices[0].message.content == wanted
        assert reasoning(inline) == ""
        assert inline.usage == apart.usage


# --- names of models ---------------------------------------------------------------------------


def test_names_are_case_sensitive(client: openai.OpenAI) -> None:
    with pytest.raises(openai.BadRequestError) as refused:
        client.chat.completions.create(**asked("thinkingmachines/inkling"))
    assert "did you mean 'thinkingmachines/Inkling'" in str(refused.value.body)


def test_a_base_models_peft_id_is_a_model(client: openai.OpenAI) -> None:
    name = f"{INKLING}:peft:262144"
    assert client.chat.completions.create(**asked(name)).model == name


def test_listing_without_a_key_is_refused(openai_url: str) -> None:
    assert httpx.get(f"{openai_url}/models", timeout=60).status_code == 401


# --- quirks ------------------------------------------------------------------------------------


def test_a_list_of_the_callers_own_is_empty_with_a_new_key() -> None:
    with (
        RunningServer(Settings(port=0, quirks=["models-list-own"])) as server,
        openai.OpenAI(api_key=KEY, base_url=f"{server.url}/oai/api/v1") as client,
    ):
        assert list(client.models.list()) == []
        assert client.chat.completions.create(**asked(max_tokens=4)).model == INKLING


def test_response_format_constrains_inklings_json_object_only_with_the_quirk() -> None:
    object_form: Any = {"type": "json_object"}
    schema: Any = {"type": "json_schema", "json_schema": {"name": "x", "schema": {"type": "array"}}}
    with (
        RunningServer(Settings(port=0, quirks=["response-format-ignored"])) as server,
        openai.OpenAI(api_key=KEY, base_url=f"{server.url}/oai/api/v1") as client,
    ):
        ask = client.chat.completions.create

        def content(model: str, form: Any) -> str:
            return ask(**asked(model, response_format=form)).choices[0].message.content or ""

        assert isinstance(json.loads(content(INKLING, object_form)), dict)
        free = {model: ask(**asked(model)).choices[0].message.content for model in (INKLING, QWEN)}
        assert content(QWEN, object_form) == free[QWEN]
        assert content(QWEN, schema) == free[QWEN]
        assert content(INKLING, schema) == free[INKLING]


def test_nulls_are_the_defaults(client: openai.OpenAI) -> None:
    names = ("reasoning_effort", "separate_reasoning", "response_format", "tools", "tool_choice")
    nulls = client.chat.completions.create(**asked(extra_body=dict.fromkeys(names)))
    plain = client.chat.completions.create(**asked())
    assert nulls.choices[0].message == plain.choices[0].message


def test_pictures_are_not_served(client: openai.OpenAI) -> None:
    part = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}
    with pytest.raises(openai.BadRequestError) as refused:
        client.chat.completions.create(**asked(messages=[{"role": "user", "content": [part]}]))
    assert "pictures" in str(refused.value.body)


@pytest.mark.parametrize("room", [1, 2, 4, 5, 9])
def test_a_prompt_that_nearly_fills_the_context_is_answered(
    client: openai.OpenAI, text_mock: RunningServer, room: int
) -> None:
    """The end of a thought and the beginning of the answer take their place too."""
    model, context = "thinkingmachines/Inkling-2-Small", 65_536
    url = f"{text_mock.url}/anthropic/api/v1/messages/count_tokens"

    def said(count: int) -> list[Any]:
        return [{"role": "user", "content": "xx" * count}]

    def size(count: int) -> int:
        body = {"model": model, "messages": said(count)}
        headers = {"x-api-key": KEY}
        return int(httpx.post(url, json=body, headers=headers, timeout=60).json()["input_tokens"])

    count = context - room - (size(1000) - 1000)
    assert size(count) == context - room
    answer = client.chat.completions.create(model=model, messages=said(count), seed=1)
    assert answer.usage is not None
    assert 1 <= answer.usage.completion_tokens <= room
    assert answer.choices[0].finish_reason in ("stop", "length")
