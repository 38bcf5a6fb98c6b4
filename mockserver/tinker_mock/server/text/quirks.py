"""What careless providers do to Kimi's tool calls, switched on by scenario.

A quirk rewrites the events of a turn, so whole and streamed answers have the same fault. Two
concern only the way a stream is written: `split-deltas` and `json-lines`.
"""

from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import replace
from typing import Any

from tinker_mock.server.text.events import CallArguments, CallBegun, Ended, Event, TextDelta

SECTION_BEGIN, SECTION_END = "<|tool_calls_section_begin|>", "<|tool_calls_section_end|>"
CALL_BEGIN, CALL_END = "<|tool_call_begin|>", "<|tool_call_end|>"
ARGUMENT = "<|tool_call_argument_begin|>"

QUIRKS = {
    "raw-markers": "the model's markers stay in the content; no tool_calls, finish_reason stop",
    "reasoning-markers": "the same inside reasoning_content",
    "bare-ids": "ids without their prefix: get_weather:0",
    "foreign-ids": "ids of another provider: call_…",
    "wrong-finish": "finish_reason stop although there are tool_calls",
    "split-deltas": "ids and names repeated and cut over several deltas, markers cut in the middle",
    "json-lines": "a stream of application/x-ndjson lines without [DONE]",
    "truncated-calls": "raw markers that break off inside the arguments, finish_reason length",
}

Quirk = Callable[[AsyncIterator[Event]], AsyncIterator[Event]]


async def raw_markers(events: AsyncIterator[Event], thinking: bool = False) -> AsyncIterator[Event]:
    """Calls as the model wrote them."""
    open_call = None
    async for event in events:
        match event:
            case CallBegun(number, id, _):
                lead = SECTION_BEGIN if open_call is None else CALL_END
                open_call = number
                yield TextDelta(f"{lead}{CALL_BEGIN}{id}{ARGUMENT}", thinking=thinking)
            case CallArguments(_, text):
                yield TextDelta(text, thinking=thinking)
            case Ended(reason):
                if open_call is not None and reason != "length":
                    yield TextDelta(CALL_END + SECTION_END, thinking=thinking)
                yield replace(event, reason="stop" if reason == "tool_calls" else reason)
            case _:
                yield event


async def truncated_calls(events: AsyncIterator[Event]) -> AsyncIterator[Event]:
    """Raw markers that break off in the first call's arguments."""
    async for event in events:
        match event:
            case CallBegun(0, id, _):
                yield TextDelta(f"{SECTION_BEGIN}{CALL_BEGIN}{id}{ARGUMENT}")
            case CallArguments(0, text):
                yield TextDelta(text[: max(1, len(text) // 2)])
                yield Ended("length")
                return
            case _:
                yield event


async def renamed(
    events: AsyncIterator[Event], rename: Callable[[CallBegun], str]
) -> AsyncIterator[Event]:
    """Calls with other ids."""
    async for event in events:
        yield replace(event, id=rename(event)) if isinstance(event, CallBegun) else event


async def wrong_finish(events: AsyncIterator[Event]) -> AsyncIterator[Event]:
    """A turn with calls that ends as if it had none."""
    async for event in events:
        ended = isinstance(event, Ended) and event.reason == "tool_calls"
        yield replace(event, reason="stop") if ended else event  # type: ignore[arg-type]


def foreign_id(call: CallBegun) -> str:
    """An id such as other providers give."""
    return f"call_{sum(map(ord, call.id)):08x}{call.number:02x}"


def applied(quirk: str | None, events: AsyncIterator[Event]) -> AsyncIterator[Event]:
    """The events under a quirk."""
    table: dict[str, Quirk] = {
        "raw-markers": raw_markers,
        "reasoning-markers": lambda source: raw_markers(source, thinking=True),
        "bare-ids": lambda source: renamed(source, lambda c: c.id.removeprefix("functions.")),
        "foreign-ids": lambda source: renamed(source, foreign_id),
        "wrong-finish": wrong_finish,
        "truncated-calls": truncated_calls,
    }
    return table[quirk](events) if quirk in table else events


def split_delta(delta: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """One delta as several that say the same in awkward places (`split-deltas`)."""
    for call in delta.get("tool_calls", ()):
        function = call.get("function", {})
        if "id" in call:
            half = len(function["name"]) // 2
            for part in (function["name"][:half], function["name"][half:]):
                named = {**call, "function": {"name": part, "arguments": ""}}
                yield {"tool_calls": [named]}
        for at in range(0, len(function.get("arguments", "")), 3):
            piece = {"arguments": function["arguments"][at : at + 3]}
            yield {"tool_calls": [{"index": call["index"], "function": piece}]}
    rest = {name: value for name, value in delta.items() if name != "tool_calls"}
    text = rest.pop("content", None)
    if rest or text == "":
        yield rest | ({} if text is None else {"content": ""})
    for at in range(0, len(text or ""), 5):
        yield {"content": (text or "")[at : at + 5]}


def json_line(event: bytes) -> bytes:
    """An event as a JSON line (`json-lines`); the end has none."""
    data = event.removeprefix(b"data: ").rstrip(b"\n")
    return b"" if data == b"[DONE]" else data + b"\n"
