"""Reasoning out of a whole text: `<think>…</think>`, ended early by a tool marker."""

import re
from dataclasses import dataclass

from tinker_mock.kimi.markers import ToolTokens
from tinker_mock.kimi.stream_parser import Parsed, Policy, parse

THINK, END_THINK = "<think>", "</think>"


@dataclass(frozen=True)
class Reasoned:
    """A text's reasoning (None without a think block) and the rest, taken apart."""

    reasoning: str | None
    answer: Parsed


def parse_reasoning(
    text: str, tools: object = None, *, tokens: ToolTokens | None = None
) -> Reasoned:
    """Split off the leading think block. A tool marker inside an unclosed block ends it."""
    tokens = tokens or ToolTokens()
    policy = Policy(trailing=False, lenient=True)
    if not text.lstrip().startswith(THINK):
        return Reasoned(None, parse(text, tools, tokens=tokens, policy=policy))
    inner = text.lstrip()[len(THINK) :]
    starts = "|".join(map(re.escape, (tokens.section_begin, tokens.call_begin)))
    end = re.search(f"{re.escape(END_THINK)}|{starts}", inner)
    if end is None:
        return Reasoned(inner, Parsed())
    rest = inner[end.end() if end.group() == END_THINK else end.start() :]
    return Reasoned(inner[: end.start()], parse(rest, tools, tokens=tokens, policy=policy))
