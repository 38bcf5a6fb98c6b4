"""Where marked text stands in a message or delta, and the marked calls taken out of it.

A whole message is one delta with its end: `MarkedTexts` reads both. Reasoning goes by several
names (`reasoning_content`; `reasoning` at OpenRouter and newer vLLM), often the same text under
two of them; content and reasoning also come as lists of parts.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tinker_mock.kimi.k3_parser import K3Parser
from tinker_mock.kimi.markers import ToolTokens
from tinker_mock.kimi.reports import Report, Reporter
from tinker_mock.kimi.stream_parser import CallArguments as CallArguments
from tinker_mock.kimi.stream_parser import CallEnd, CallStart, Event, StreamParser, Text, Unparsed

TEXT_FIELDS = ("content", "reasoning_content", "reasoning", "reasoning_details")
# The text of a part of each type stands under the type's own name, or under "text".
PART_TEXTS = ("text", "thinking", "reasoning", "summary")
# (where it was found, event): the numbers of calls count by place.
Found = list[tuple[str, Event]]


class MarkedTexts:
    """The texts of one message, whole or in pieces. What is no call stays where it stood."""

    def __init__(self, tools: object, tokens: ToolTokens, report: Reporter) -> None:
        self._tools = tools
        self._tokens = tokens
        self._report = report
        self._parsers: dict[str, _Parsers] = {}
        self._in_parts: set[str] = set()
        self._copies: dict[str, str] = {}

    def take(self, message: Mapping[str, Any]) -> tuple[dict[str, Any], Found]:
        """The message without its marked calls, and their events."""
        out, found = dict(message), Found()
        for name in TEXT_FIELDS:
            value = message.get(name)
            if not value or not isinstance(value, str | list):
                continue
            original = self._copied_from(name, value, message)
            if isinstance(value, str):
                out[name] = self._text(name, value, found, original)
            else:
                self._in_parts.add(name)
                out[name] = [self._part(name, part, found, original) for part in value]
        return out, found

    def finish(self) -> tuple[dict[str, Any], Found]:
        """What was held back at the end of the message: texts, in the shape of their field, and
        events."""
        out: dict[str, Any] = {}
        found: Found = []
        for name, parsers in self._parsers.items():
            text = self._sorted(name, parsers.finish(), found, self._copies.get(name))
            if text:
                in_parts = name in self._in_parts
                out[name] = [{"type": "text", "text": text}] if in_parts else text
        return out, found

    def _copied_from(self, field: str, value: Any, message: Mapping[str, Any]) -> str | None:
        """The field whose text this one repeats, if any: its calls are counted once."""
        if field in self._copies:
            return self._copies[field]
        if field in ("reasoning", "reasoning_details"):
            text = plain_text(value)
            for other in ("reasoning_content", "reasoning"):
                if other != field and plain_text(message.get(other)) == text:
                    return self._copies.setdefault(field, other)
        return None

    def _text(self, field: str, text: str, found: Found, copied_from: str | None) -> str:
        parsers = self._parsers.get(field)
        if parsers is None:
            parsers = self._parsers[field] = _Parsers(StreamParser(self._tools, self._tokens))
        return self._sorted(field, parsers.feed(text), found, copied_from)

    def _part(self, field: str, part: Any, found: Found, copied_from: str | None) -> Any:
        if not isinstance(part, Mapping):
            return part
        changed = dict(part)
        for name in PART_TEXTS:
            value = part.get(name)
            if isinstance(value, str):
                changed[name] = self._text(field, value, found, copied_from)
            elif isinstance(value, list):
                changed[name] = [self._part(field, one, found, copied_from) for one in value]
        return changed

    def _sorted(self, field: str, events: Found, found: Found, copied_from: str | None) -> str:
        kept: list[str] = []
        for markup, event in events:
            match event:
                case Text(text):
                    kept.append(text)
                case Unparsed(raw):
                    self._report(Report("unparsed", raw))
                    kept.append(raw)
                case CallStart() | CallArguments() | CallEnd() if copied_from is None:
                    found.append((f"{field}{markup}", event))
        return "".join(kept)


@dataclass
class _Parsers:
    """K3's markup is taken out of a text first, and K2's of what it leaves. Calls of both are
    numbered apart: events come with the markup's name ("" for K2's)."""

    k2: StreamParser
    k3: K3Parser = field(default_factory=K3Parser)

    def feed(self, text: str) -> Found:
        return self._through(self.k3.feed(text))

    def finish(self) -> Found:
        rest = self._through(self.k3.finish())
        return [*rest, *(("", event) for event in self.k2.finish())]

    def _through(self, events: list[Event]) -> Found:
        found = Found()
        for event in events:
            if isinstance(event, Text):
                found += [("", one) for one in self.k2.feed(event.text)]
            else:
                found.append(("-k3", event))
        return found


def plain_text(value: Any) -> str:
    """The text of a string or of a list of parts."""
    if isinstance(value, str):
        return value
    if isinstance(value, Mapping):
        return "".join(plain_text(value.get(name)) for name in PART_TEXTS)
    return "".join(map(plain_text, value)) if isinstance(value, list) else ""


def with_rest(value: Any, rest: Any) -> Any:
    """A field's value with what was held back at its end; empty texts become null."""
    if not isinstance(value, list):
        return (value + (rest or "")) or None
    parts = [part for part in value if not _is_empty(part)]
    late = list(rest or ())
    if late and parts and isinstance(parts[-1], Mapping) and isinstance(parts[-1].get("text"), str):
        parts[-1] = {**parts[-1], "text": parts[-1]["text"] + late.pop()["text"]}
    return parts + late or None


def _is_empty(part: Any) -> bool:
    return isinstance(part, Mapping) and part.get("type") == "text" and part.get("text") == ""
