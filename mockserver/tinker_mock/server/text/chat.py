"""Chat completions and messages: from a checked request to the turns that answer it."""

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from dataclasses import dataclass, replace

from tinker_mock.server.service.backend import Backend
from tinker_mock.server.text.answer_schema import AnswerSchema
from tinker_mock.server.text.events import Ended, Event
from tinker_mock.server.text.generation import Params
from tinker_mock.server.text.messages import Message
from tinker_mock.server.text.quirks import applied
from tinker_mock.server.text.scripted_draw import ScriptedDraw
from tinker_mock.server.text.text_model import TextModel
from tinker_mock.server.text.thoughts import inlined
from tinker_mock.server.text.tool_choice import ToolRequest, tool_uses
from tinker_mock.server.text.turns import Turn

MOST_UNASKED = 4096
"""Longest answer to a request that names no limit."""


@dataclass(frozen=True)
class Asked:
    """What a request wants of a turn, whatever API it came by.

    `schema` is that of a structured answer, `cut` lets a limit beyond the context mean what fits.
    """

    messages: list[Message]
    tools: ToolRequest
    effort: float
    schema: AnswerSchema | None = None
    cut: bool = False


def turns_for(
    backend: Backend, model: TextModel, asked: Asked, params: Params, count: int = 1
) -> list[Turn]:
    """One turn a choice; raises BadRequest before any text is made."""
    tools = asked.tools
    offered = tools.offered if tools.choice != "none" else []
    prompt = model.chat_prompt(asked.messages, offered or None, asked.effort)
    limit = params.max_tokens or None
    room = model.check_length(len(prompt), limit, "/messages", cut=asked.cut)
    turns, scripted = [], ScriptedDraw(backend, model, prompt)
    for index in range(count):
        entropy = f"{params.entropy}:{index}"
        uses = tool_uses(tools, asked.messages, backend.ids, entropy, kimi=model.is_kimi)
        own = replace(params, max_tokens=min(room, limit or MOST_UNASKED), entropy=entropy)
        turns.append(Turn(backend, model, prompt, own, scripted, uses, asked.schema, asked.effort))
    return turns


async def numbered(
    turns: list[Turn], quirk: str | None = None, *, inline: bool = False
) -> AsyncGenerator[tuple[int, Event], None]:
    """The events of all choices, an event of each in turn. `inline`: reasoning in the content."""
    sources = [turn.events() for turn in turns]
    shown = [inlined(source) if inline else source for source in sources]
    running = {index: applied(quirk, source) for index, source in enumerate(shown)}
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


async def only_events(turns: list[Turn]) -> AsyncIterator[Event]:
    """The events of a request that has one choice."""
    async with aclosing(numbered(turns)) as events:
        async for _, event in events:
            yield event
