"""Schemas from requests ask for a bounded amount, and for nothing outside of themselves."""

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.abuse.fuzz import canary
from tinker_mock.server.errors import BadRequest
from tinker_mock.server.serving.in_thread import RunningServer
from tinker_mock.server.text.schema_size import MOST_SUBSCHEMAS, too_large
from tinker_mock.server.text.schema_values import value_for

Schema = dict[str, Any]
TWICE = {f"n{i}": {"allOf": [{"$ref": f"#/$defs/n{i + 1}"}] * 2} for i in range(30)}
MESH = {f"m{i}": {"allOf": [{"$ref": f"#/$defs/m{j}"} for j in range(12)]} for i in range(12)}
NODE = {
    "type": "object",
    "required": ["a", "b", "c"],
    "properties": {name: {"$ref": "#/$defs/n"} for name in "abc"},
}
GREEDY = {
    "items": {"type": "array", "minItems": 3_000_000},
    "characters": {"type": "string", "minLength": 10**8},
    "properties": {"type": "object", "minProperties": 10**9},
    "nested items": {"type": "array", "minItems": 2500, "items": {"type": "array", "minItems": 3}},
    "different items": {
        "type": "array",
        "minItems": 4000,
        "uniqueItems": True,
        "items": {"type": "boolean"},
    },
    "itself": {"type": "object", "required": ["a"], "properties": {"a": {"$ref": "#"}}},
    "itself twice": {"$ref": "#/$defs/x", "$defs": {"x": {"allOf": [{"$ref": "#/$defs/x"}] * 2}}},
    "a tree": {"$ref": "#/$defs/n", "$defs": {"n": NODE}},
    "twice and twice again": {"$ref": "#/$defs/n0", "$defs": TWICE | {"n30": {"type": "object"}}},
    "a mesh": {"$ref": "#/$defs/m0", "$defs": MESH},
    "a slow pattern": {"type": "string", "pattern": "^(a+)+$", "const": "a" * 40 + "!"},
    "a huge pattern": {"type": "string", "pattern": "(a{1000}){1000}{1000}"},
    "a contradiction": {"type": "array", "minItems": 2, "maxItems": 1},
    "numbers without end": {"type": "integer", "minimum": 1e308, "maximum": -1e308},
}


@pytest.mark.parametrize("name", GREEDY)
def test_greedy_schemas_are_refused_soon(name: str) -> None:
    begun = time.process_time()
    with pytest.raises(BadRequest) as refusal:
        value_for(GREEDY[name], 1, "/tools/0/function/parameters")
    assert time.process_time() - begun < 5
    assert refusal.value.pointer == "/tools/0/function/parameters"
    assert refusal.value.fix


def test_a_large_schema_that_asks_for_little_is_served() -> None:
    wide = {"type": "object", "properties": {f"p{i}": {"type": "integer"} for i in range(2000)}}
    assert not too_large(wide)
    assert isinstance(value_for(wide, 1, "/x"), dict)
    wider = {"type": "object", "properties": {f"p{i}": {} for i in range(MOST_SUBSCHEMAS)}}
    assert too_large(wider)


def chat(tool: Schema) -> tuple[str, Schema]:
    function = {"name": "f", "parameters": tool}
    tools = {"tools": [{"type": "function", "function": function}], "tool_choice": "required"}
    return "/oai/api/v1/chat/completions", {"max_tokens": 8, **tools}


def structured(schema: Schema) -> tuple[str, Schema]:
    form = {"type": "json_schema", "json_schema": {"name": "x", "schema": schema}}
    return "/oai/api/v1/chat/completions", {"max_tokens": 8, "response_format": form}


def anthropic(tool: Schema) -> tuple[str, Schema]:
    tools = [{"name": "f", "description": "d", "input_schema": {"type": "object", **tool}}]
    return "/anthropic/api/v1/messages", {
        "max_tokens": 8,
        "tools": tools,
        "tool_choice": {"type": "any"},
    }


PLACES = [chat, structured, anthropic]
Place = Callable[[Schema], tuple[str, Schema]]


def post(server: RunningServer, place: Place, schema: Schema) -> httpx.Response:
    path, body = place(schema)
    told = {"model": "Qwen/Qwen3-8B", "messages": [{"role": "user", "content": "hi"}], **body}
    return httpx.post(server.url + path, json=told, headers={"X-API-Key": "tml-a"}, timeout=60)


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("scheme", ["http://ADDRESS/x.json", "https://ADDRESS/x.json"])
@pytest.mark.parametrize("keyword", ["$ref", "$dynamicRef", "$schema", "$id"])
def test_nothing_is_fetched_for_a_schema(
    text_mock: RunningServer, place: Place, scheme: str, keyword: str
) -> None:
    with canary() as (address, asked):
        outside = scheme.replace("ADDRESS", address)
        inner = {keyword: outside} | ({"$ref": "other.json"} if keyword == "$id" else {})
        answer = post(text_mock, place, {"required": ["a"], "properties": {"a": inner}})
    assert answer.status_code in (200, 400)
    assert asked == []


@pytest.mark.parametrize("place", PLACES)
def test_nothing_is_opened_for_a_schema(
    text_mock: RunningServer, place: Place, tmp_path: Path
) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)  # who opens it waits for ever
    present = tmp_path / "present.json"
    present.write_text("{}")
    said = set()
    for file in (pipe, present, tmp_path / "missing.json"):
        outside = {"required": ["a"], "properties": {"a": {"$ref": file.as_uri()}}}
        answer = post(text_mock, place, outside)
        assert answer.status_code == 400
        said.add(answer.text.replace(str(file), "FILE"))
    assert len(said) == 1  # the answer does not tell whether a file exists
    assert httpx.get(f"{text_mock.url}/api/v1/healthz", timeout=60).status_code == 200
