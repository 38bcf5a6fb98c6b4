"""The tool-call markers of Kimi K2, and a lexer that finds them in text cut anywhere.

Source: MoonshotAI/Kimi-K2 docs/tool_call_guidance.md. The singular section marker is not
official; models emit it now and then and vLLM and tinker-cookbook accept it.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, fields
from enum import Enum
from functools import cached_property


class Kind(Enum):
    """What a marker does."""

    SECTION_BEGIN = "section_begin"
    SECTION_END = "section_end"
    CALL_BEGIN = "call_begin"
    CALL_END = "call_end"
    ARGUMENTS = "argument_begin"


SINGULAR = {
    "<|tool_call_section_begin|>": Kind.SECTION_BEGIN,
    "<|tool_call_section_end|>": Kind.SECTION_END,
}


@dataclass(frozen=True)
class ToolTokens:
    """The five markers; every one can be replaced."""

    section_begin: str = "<|tool_calls_section_begin|>"
    section_end: str = "<|tool_calls_section_end|>"
    call_begin: str = "<|tool_call_begin|>"
    call_end: str = "<|tool_call_end|>"
    argument_begin: str = "<|tool_call_argument_begin|>"

    def __post_init__(self) -> None:
        values = [getattr(self, field.name) for field in fields(self)]
        if not all(isinstance(value, str) and value for value in values):
            raise ValueError("toolTokens: every marker must be a non-empty string")
        if len(set(values)) < len(values):
            raise ValueError("toolTokens: the five markers must differ")

    @cached_property
    def kinds(self) -> dict[str, Kind]:
        """Marker text to kind; the official set also knows its singular variant."""
        found = {getattr(self, kind.value): kind for kind in Kind}
        if self.section_begin == ToolTokens.section_begin:
            found |= SINGULAR
        return found

    @cached_property
    def pattern(self) -> re.Pattern[str]:
        """Any marker, the longest first."""
        return re.compile("|".join(map(re.escape, sorted(self.kinds, key=len, reverse=True))))

    @cached_property
    def prefixes(self) -> frozenset[str]:
        """Every proper prefix of every marker."""
        return frozenset(marker[:end] for marker in self.kinds for end in range(1, len(marker)))

    @cached_property
    def firsts(self) -> frozenset[str]:
        """The first character of every marker."""
        return frozenset(marker[0] for marker in self.kinds)

    @cached_property
    def longest(self) -> int:
        """Length of the longest marker."""
        return max(map(len, self.kinds))


class Lexer:
    """Text in, pieces out: `(None, text)` or `(kind, marker)`.

    What could still become a marker is held back until it is decided, so the pieces, joined, do
    not depend on how the text was cut.
    """

    def __init__(self, tokens: ToolTokens) -> None:
        self.tokens = tokens
        self.held = ""

    def feed(self, text: str) -> Iterator[tuple[Kind | None, str]]:
        """Pieces that are decided now."""
        self.held += text
        return self._pieces(self._undecided())

    def finish(self) -> Iterator[tuple[Kind | None, str]]:
        """The rest; a half marker is text."""
        return self._pieces(len(self.held))

    def _undecided(self) -> int:
        """Where the longest suffix starts that is the beginning of a marker."""
        size = len(self.held)
        for start in range(max(0, size - self.tokens.longest + 1), size):
            if self.held[start] in self.tokens.firsts and (
                self.held[start:] in self.tokens.prefixes
            ):
                return start
        return size

    def _pieces(self, limit: int) -> Iterator[tuple[Kind | None, str]]:
        text, at = self.held, 0
        for match in self.tokens.pattern.finditer(text):
            if match.start() >= limit:
                break
            if match.start() > at:
                yield None, text[at : match.start()]
            yield self.tokens.kinds[match.group()], match.group()
            at = match.end()
        if limit > at:
            yield None, text[at:limit]
            at = limit
        self.held = text[at:]
