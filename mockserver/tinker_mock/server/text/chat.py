"""Chat completions and messages: from a checked request to the turns that answer it."""

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from dataclasses import replace
from typing import Any

from tinker_mock.server.service.backend import Backend
from tinker_mock.server.text.events import Ended, Event
from tinker_mock.server.text.generation import Params
from tinker_mock.server.text.messages import Message
from tinker_mock.server.text.quirks import applied
from tinker_mock.server.text.scripted_draw import ScriptedDraw
from tinker_mock.server.text.text_model import TextModel
from tinker_mock.server.text.tool_choice import ToolRequest, tool_uses
from tinker_mock.server.text.turns import Turn

MOST_UNASKED = 4096
"""Longest answer to a request that names no limit."""


def wants_thinking(body: dict[str, Any]) -> bool:
    """Whether a model that thinks shall do so."""
    if "thinking" in body:
        return bool(body["thinking"].get("type") != "disabled")
    template = body.get("chat_template_kwargs") or {}
    flags = [template.get(name) for name in ("thinking", "enable_thinking")]
    return body.get("reasoning_effort") != "none" and False not in flags


def turns_for(
    backend: Backend,
    body: dict[str, Any],
    model: TextModel,
    messages: list[Message],
    tools: ToolRequest,
    params: Params,
    count: int = 1,
) -> list[Turn]:
    """One turn a choice; raises BadRequest before any text is made."""
    offered = tools.tools if tools.choice != "none" else []
    prompt = model.chat_prompt(messages, offered or None, wants_thinking(body))
    asked = params.max_tokens or None
    room = model.check_length(prompt, asked, "/messages")
    schema = answer_schema(body)
    turns, scripted = [], ScriptedDraw(backend, model, prompt)
    for index in range(count):
        entropy = f"{params.entropy}:{index}"
        uses = tool_uses(tools, messages, backend.ids, entropy, kimi=model.is_kimi)
        own = replace(params, max_tokens=min(room, asked or MOST_UNASKED), entropy=entropy)
        turns.append(Turn(backend, model, prompt, own, uses, schema, scripted))
    return turns


def answer_schema(body: dict[str, Any]) -> dict[str, Any] | None:
    """The schema of a structured answer; None for free text."""
    wanted = body.get("response_format") or {}
    if wanted.get("type") == "json_object":
        return {"type": "object", "minProperties": 1}
    if wanted.get("type") == "json_schema":
        return dict(wanted["json_schema"].get("schema") or {"type": "object"})
    return None


async def numbered(turns: list[Turn], quirk: str | None) -> AsyncGenerator[tuple[int, Event], None]:
    """The events of all choices, an event of each in turn."""
    sources = [turn.events() for turn in turns]
    running = {index: applied(quirk, source) for index, source in enumerate(sources)}
    try:
        while running:
            for index, events in list(running.items()):
                event = await anext(events, None)
                if event is None:
                    del running[index]
                    continue
                yield index, event
                if isinstance(event, Ended):
                    del running[index]
    finally:
        for source in sources:
            await source.aclose()


async def only_events(turns: list[Turn], quirk: str | None = None) -> AsyncIterator[Event]:
    """The events of a request that has one choice."""
    async with aclosing(numbered(turns, quirk)) as events:
        async for _, event in events:
            yield event
