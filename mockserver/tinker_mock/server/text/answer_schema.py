"""The schema of a structured answer, and where a request has it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tinker_mock.server.text.messages import Message
from tinker_mock.server.text.prompted_schema import drawable_schema

OPENAI, ANTHROPIC = "/response_format/json_schema/schema", "/output_config/format/schema"
BETA = "/output_format/schema"
"""Where Anthropic's clients had it before output_config."""


@dataclass(frozen=True)
class AnswerSchema:
    """`pointer` is for refusals."""

    schema: dict[str, Any]
    pointer: str


def openai_schema(body: dict[str, Any], messages: list[Message]) -> AnswerSchema | None:
    """That of `response_format`; None for free text.

    JSON mode answers by the schema that stands in the conversation's words, if one does.
    """
    form = body.get("response_format") or {"type": "text"}
    if form["type"] == "json_object":
        found = drawable_schema(messages) or {"type": "object", "minProperties": 1}
        return AnswerSchema(found, "/response_format")
    if form["type"] == "json_schema":
        return AnswerSchema(dict(form["json_schema"].get("schema") or {"type": "object"}), OPENAI)
    return None


def anthropic_schema(body: dict[str, Any]) -> AnswerSchema | None:
    """That of `output_config.format`, or of `output_format`; None for free text."""
    form, pointer = (body.get("output_config") or {}).get("format"), ANTHROPIC
    if form is None:
        form, pointer = body.get("output_format"), BETA
    return None if form is None else AnswerSchema(dict(form["schema"]), pointer)
