"""Answers and every event of a stream keep the contract."""

import json
from typing import Any

import httpx
import jsonschema_rs
import pytest

from tinker_mock.contracts import load_contract
from tinker_mock.server.serving.in_thread import RunningServer

CONTRACT = load_contract("inference")
HEADERS = {"Authorization": "Bearer tml-contract"}
CHAT = [{"role": "user", "content": "What is the weather in Bonn?"}]
MODEL = "moonshotai/Kimi-K2.6"


def component(name: str) -> Any:
    registry = jsonschema_rs.Registry(
        [("urn:doc", {"components": CONTRACT.document["components"]})]
    )
    schema = {"$ref": f"urn:doc#/components/schemas/{name}"}
    return jsonschema_rs.validator_for(schema, registry=registry)


def chat(weather: dict[str, Any], **more: Any) -> dict[str, Any]:
    tools = [{"type": "function", "function": weather}]
    return {"model": MODEL, "messages": CHAT, "tools": tools, "max_tokens": 300, **more}


def requests(weather: dict[str, Any]) -> list[tuple[str, str, dict[str, Any]]]:
    """(operation, component of its events, body)"""
    anthropic_tool = {"name": "get_weather", "input_schema": weather["parameters"]}
    plain = {"model": MODEL, "prompt": ["Once", "Twice"], "max_tokens": 6, "n": 2, "logprobs": 2}
    message = {"model": MODEL, "messages": CHAT, "max_tokens": 300, "tools": [anthropic_tool]}
    return [
        ("create_chat_completion", "ChatCompletionChunk", chat(weather)),
        (
            "create_chat_completion",
            "ChatCompletionChunk",
            chat(weather, tool_choice="none", n=2, logprobs=True, top_logprobs=2),
        ),
        (
            "create_chat_completion",
            "ChatCompletionChunk",
            chat(weather, stream_options={"include_usage": True}),
        ),
        ("create_completion", "Completion", plain),
        ("create_message", "MessageEvent", message),
        ("create_message", "MessageEvent", {**message, "stop_sequences": ["a"], "tools": []}),
    ]


@pytest.mark.parametrize("number", range(6))
def test_whole_answers_and_events_are_valid(
    text_mock: RunningServer, weather: dict[str, Any], number: int
) -> None:
    operation_id, event_name, body = requests(weather)[number]
    operation = CONTRACT.operations[operation_id]
    assert operation.check_request(body) == []
    with httpx.Client(base_url=text_mock.url, headers=HEADERS, timeout=60) as client:
        whole = client.post(operation.path, json=body)
        stream = client.post(operation.path, json={**body, "stream": True})
    assert operation.check_response(whole.status_code, whole.json()) == []
    assert stream.headers["content-type"] == "text/event-stream"
    events = [line[6:] for line in stream.text.split("\n") if line.startswith("data: ")]
    assert (events[-1] == "[DONE]") == (operation_id != "create_message")
    validator = component(event_name)
    for event in events:
        if event != "[DONE]":
            validator.validate(json.loads(event))


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/oai/api/v1/chat/completions", {"model": MODEL}),
        ("/oai/api/v1/completions", {"model": "nobody", "prompt": "x"}),
        ("/oai/api/v1/completions", {"model": MODEL, "prompt": [[1], [10**30]]}),
        ("/anthropic/api/v1/messages", {"model": MODEL, "messages": CHAT}),
        ("/anthropic/api/v1/messages", b"{"),
        ("/oai/api/v1/nothing", {}),
    ],
)
def test_refusals_have_the_shape_of_their_api(
    text_mock: RunningServer, path: str, body: Any
) -> None:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    headers = {**HEADERS, "content-type": "application/json"}
    refused = httpx.post(text_mock.url + path, content=content, headers=headers, timeout=60)
    name = "AnthropicError" if "anthropic" in path else "Detail"
    component(name).validate(refused.json())
    assert refused.status_code in (400, 404)
