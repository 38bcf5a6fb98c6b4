"""A sampled turn as tinker-cookbook's Kimi K2 renderer reads it.

Source: thinking-machines-lab/tinker-cookbook renderers/kimi_k2.py and base.py (9dfcc3a).
"""

import re
from dataclasses import dataclass, field
from typing import Any

from tinker_mock.kimi.dialects import tinker_cookbook
from tinker_mock.kimi.markers import ToolTokens

END_OF_TURN = "<|im_end|>"
END_OF_TURN_ID = 163586
DEFAULT_SYSTEM_PROMPT = "You are Kimi, an AI assistant created by Moonshot AI."
THINK_BLOCK = re.compile(r"<think>(.*?)</think>", re.DOTALL)


class RendererError(ValueError):
    """More than one end of turn: the sample is not one turn."""


@dataclass
class Turn:
    """A parsed turn. `content` is a list of parts once it thinks, else the text."""

    termination: str
    content: str | list[dict[str, str]]
    tool_calls: list[dict[str, Any]] = field(default_factory=list)
    unparsed: list[str] = field(default_factory=list)


def parse_turn(text: str) -> Turn:
    """Parse one sample. Without its end of turn it is malformed and stays raw."""
    ends = text.count(END_OF_TURN)
    if ends > 1:
        raise RendererError(f"expected one {END_OF_TURN}, found {ends}")
    if not ends:
        return Turn("malformed", text)
    body = text.partition(END_OF_TURN)[0]
    body, calls, unparsed = _calls(body)
    return Turn("stop_sequence", parts(body) or body, calls, unparsed)


def _calls(body: str) -> tuple[str, list[dict[str, Any]], list[str]]:
    read = tinker_cookbook(body)
    content, calls, unparsed = read["content"], read["tool_calls"], read["unparsed"]
    rest = body[len(content) :]
    begin = ToolTokens.call_begin
    if rest.count(begin) > len(calls) + len(unparsed):
        unparsed = [*unparsed, begin + rest.rpartition(begin)[2]]
    if not rest and ToolTokens.section_begin in body:
        content, _, dangling = body.partition(ToolTokens.section_begin)
        unparsed = [*unparsed, ToolTokens.section_begin + dangling]
    return content, calls, unparsed


def parts(text: str) -> list[dict[str, str]]:
    """Thinking and text parts in order; empty ones are dropped. [] if nothing thinks."""
    if not THINK_BLOCK.search(text):
        return []
    found: list[dict[str, str]] = []
    at = 0
    for match in THINK_BLOCK.finditer(text):
        found += _part("text", text[at : match.start()]) + _part("thinking", match[1])
        at = match.end()
    return found + _part("text", text[at:])


def _part(kind: str, text: str) -> list[dict[str, str]]:
    return [{"type": kind, kind: text}] if text else []


def prefix_roles(has_tools: bool) -> list[str]:
    """The turns before the first user turn when the caller gives no system message."""
    return ["tool_declare", "system"] if has_tools else ["system"]
