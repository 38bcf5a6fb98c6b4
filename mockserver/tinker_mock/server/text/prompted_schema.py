"""A JSON schema that stands in a conversation's words.

Clients that only know JSON mode write the schema into the prompt: instructor, langchain's
`json_mode`, pydantic-ai's prompted output. What they parse by it should fit it.
"""

import json
from collections.abc import Iterator
from typing import Any

from tinker_mock.server.errors import BadRequest
from tinker_mock.server.text.messages import Message, flat_text
from tinker_mock.server.text.schema_values import value_for

MOST_TRIED = 64
"""Opening braces that are looked at; a prompt full of them is no schema."""
SIGNS = ("properties", "$defs", "anyOf", "items", "enum", "$ref")


def prompted_schema(messages: list[Message]) -> dict[str, Any] | None:
    """The last schema of an object in the messages; None if there is none."""
    found = None
    for message in messages:
        for value in _objects(flat_text(message)):
            if schema := _as_schema(value):
                found = schema
    return found


def drawable_schema(messages: list[Message]) -> dict[str, Any] | None:
    """The schema, if a value of it can be made: JSON mode itself refuses nothing."""
    schema = prompted_schema(messages)
    if schema is None:
        return None
    try:
        value_for(schema, 0, "/messages")
    except BadRequest:
        return None
    return schema


def _objects(text: str) -> Iterator[dict[str, Any]]:
    """The JSON objects in a text, outermost ones only."""
    decoder, at = json.JSONDecoder(), 0
    for _ in range(MOST_TRIED):
        at = text.find("{", at)
        if at < 0:
            return
        try:
            value, at = decoder.raw_decode(text, at)
        except (ValueError, RecursionError):
            at += 1
            continue
        if isinstance(value, dict):
            yield value


def _as_schema(value: dict[str, Any]) -> dict[str, Any] | None:
    """The value itself, or what it wraps under "schema" or "parameters"."""
    for name in ("schema", "parameters"):
        if isinstance(value.get(name), dict) and "properties" not in value:
            return _as_schema(value[name])
    if not any(sign in value for sign in SIGNS):
        return None
    if isinstance(value.get("properties"), dict):
        return {"type": "object", **value}
    return value if "type" in value or "$ref" in value or "anyOf" in value else None
