"""Turns in Anthropic's shapes: whole messages and their events."""

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

from tinker_mock.server.text.events import CallArguments, CallBegun, Ended, Event, TextDelta
from tinker_mock.server.wire import sse

Json = dict[str, Any]
STOP_REASONS = {"stop": "end_turn", "length": "max_tokens", "tool_calls": "tool_use"}


@dataclass(frozen=True)
class PromptUsage:
    """How the tokens of a prompt are counted: read anew, put into the cache, found there."""

    plain: int = 0
    created: int = 0
    read: int = 0

    def as_json(self) -> Json:
        """Its fields of `usage`; their sum is the length of the prompt."""
        return {
            "input_tokens": self.plain,
            "cache_creation_input_tokens": self.created,
            "cache_read_input_tokens": self.read,
        }


@dataclass
class MessageBuilder:
    """A message as it grows; its blocks are in the order they were begun."""

    id: str
    model: str
    prompt: PromptUsage
    blocks: list[Json] = field(default_factory=list)
    ended: Ended | None = None

    def as_json(self) -> Json:
        """The wire object; before the end its stop fields are null."""
        ended = self.ended
        stop = ended.stop if ended else None
        usage = {
            **self.prompt.as_json(),
            "output_tokens": ended.tokens if ended else 0,
        }
        return {
            "id": self.id,
            "type": "message",
            "role": "assistant",
            "model": self.model,
            "content": [_closed(block) for block in self.blocks],
            "stop_reason": stop_reason(ended) if ended else None,
            "stop_sequence": stop,
            "usage": usage,
        }

    def add(self, event: Event) -> tuple[Json | None, Json | None]:
        """Take an event: (a block it begins, a delta of the last block)."""
        match event:
            case TextDelta(text, _, thinking):
                kind = "thinking" if thinking else "text"
                begun: Json | None = None
                if not self.blocks or self.blocks[-1]["type"] != kind:
                    begun = {"type": kind, kind: ""}
                    begun |= {"signature": ""} if thinking else {}
                    self.blocks.append(dict(begun))
                self.blocks[-1][kind] += text
                return begun, {"type": f"{kind}_delta", kind: text}
            case CallBegun(_, id, name):
                begun = {"type": "tool_use", "id": tool_use_id(id), "name": name, "input": {}}
                self.blocks.append({**begun, "json": ""})
                return begun, None
            case CallArguments(_, text):
                self.blocks[-1]["json"] += text
                return None, {"type": "input_json_delta", "partial_json": text}
            case Ended():
                self.ended = event
        return None, None


def stop_reason(ended: Ended) -> str:
    """Why the message ended, in Anthropic's words."""
    return "stop_sequence" if ended.stop is not None else STOP_REASONS[ended.reason]


def tool_use_id(id: str) -> str:
    """Kimi's own ids are kept; others get Anthropic's prefix."""
    return "toolu_" + id.removeprefix("call_") if id.startswith("call_") else id


def _closed(block: Json) -> Json:
    if "json" not in block:
        return block
    try:
        value = json.loads(block["json"])
    except ValueError:  # cut off by max_tokens
        value = {}
    return {k: v for k, v in block.items() if k != "json"} | {"input": value}


async def message_events(
    builder: MessageBuilder, events: AsyncIterator[Event]
) -> AsyncIterator[bytes]:
    """message_start, blocks one after another, message_delta, message_stop."""
    yield _event("message_start", message=builder.as_json())
    async for event in events:
        before = len(builder.blocks)
        begun, delta = builder.add(event)
        if begun is not None:
            if before:
                yield _event("content_block_stop", index=before - 1)
            yield _event("content_block_start", index=before, content_block=begun)
        if delta is not None:
            yield _event("content_block_delta", index=len(builder.blocks) - 1, delta=delta)
    if builder.blocks:
        yield _event("content_block_stop", index=len(builder.blocks) - 1)
    message = builder.as_json()
    delta = {"stop_reason": message["stop_reason"], "stop_sequence": message["stop_sequence"]}
    yield _event("message_delta", delta=delta, usage={"output_tokens": _spent(message)})
    yield _event("message_stop")


def _spent(message: Json) -> int:
    return int(message["usage"]["output_tokens"])


def _event(kind: str, **fields: Any) -> bytes:
    return sse.event({"type": kind, **fields}, name=kind)
