"""Structured answers on both sides: schemas in the request, and schemas in the prompt's words."""

import json
from typing import Any

import anthropic
import openai
import pydantic
import pytest

from tinker_mock.server.serving.in_thread import RunningServer

MODEL = "Qwen/Qwen3-8B"


class Trip(pydantic.BaseModel):
    city: str
    nights: int
    stops: list[str]


@pytest.fixture
def chat(text_mock: RunningServer) -> openai.OpenAI:
    return openai.OpenAI(base_url=f"{text_mock.url}/oai/api/v1", api_key="tml-x", max_retries=0)


@pytest.mark.parametrize(
    "told",
    [
        "Answer in JSON that fits this schema: {}",
        "As a genius expert, parse into:\n```json\n{}\n```\nReturn an instance, not the schema.",
        'The output should be like {{"foo": 1}}.\nHere is the output schema:\n```\n{}\n```',
    ],
)
def test_json_mode_answers_by_the_schema_in_the_prompt(chat: openai.OpenAI, told: str) -> None:
    schema = json.dumps(Trip.model_json_schema())
    answer = chat.chat.completions.create(
        model=MODEL,
        messages=[
            {"role": "system", "content": told.format(schema)},
            {"role": "user", "content": "Plan a trip."},
        ],
        response_format={"type": "json_object"},
    )
    Trip.model_validate_json(answer.choices[0].message.content or "")


@pytest.mark.parametrize(
    "words",
    ["Answer in JSON.", 'Like {"a": 1}', '{"type": "object", "properties": {"a": {"not": {}}}}'],
)
def test_json_mode_refuses_nothing(chat: openai.OpenAI, words: str) -> None:
    answer = chat.chat.completions.create(
        model=MODEL,
        messages=[{"role": "user", "content": words}],
        response_format={"type": "json_object"},
    )
    assert isinstance(json.loads(answer.choices[0].message.content or ""), dict)


def test_anthropics_structured_outputs_fit_their_schema(text_mock: RunningServer) -> None:
    client = anthropic.Anthropic(
        base_url=f"{text_mock.url}/anthropic/api", api_key="tml-x", max_retries=0
    )
    question: Any = [{"role": "user", "content": "Plan a trip."}]
    schema = {**Trip.model_json_schema(), "additionalProperties": False}
    form: Any = {"format": {"type": "json_schema", "schema": schema}}
    whole = client.messages.create(
        model=MODEL, max_tokens=500, messages=question, output_config=form
    )
    Trip.model_validate_json(whole.content[-1].text)  # type: ignore[union-attr]
    parsed = client.messages.parse(
        model=MODEL, max_tokens=500, messages=question, output_format=Trip
    )
    assert isinstance(parsed.parsed_output, Trip)


def test_kimi_k3_calls_tools_that_a_system_message_loads(chat: openai.OpenAI) -> None:
    tool = {
        "type": "function",
        "function": {"name": "get_weather", "parameters": {"type": "object", "properties": {}}},
    }
    messages: Any = [
        {"role": "system", "content": "", "tools": [tool]},
        {"role": "user", "content": "What is the weather?"},
    ]
    answer = chat.chat.completions.create(model="moonshotai/Kimi-K3.1-Pro", messages=messages)
    calls = answer.choices[0].message.tool_calls or []
    assert [call.function.name for call in calls] == ["get_weather"]  # type: ignore[union-attr]
    other = chat.chat.completions.create(model="moonshotai/Kimi-K2.6", messages=messages)
    assert not other.choices[0].message.tool_calls
