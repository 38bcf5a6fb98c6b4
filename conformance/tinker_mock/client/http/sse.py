"""Server-sent events, decoded from bytes as they come, by the WHATWG rules (HTML, 9.2.6)."""

import codecs
import re
from dataclasses import dataclass
from typing import Any, Protocol

import orjson

from tinker_mock.client.config.presets import Preset
from tinker_mock.client.elixir.event_blocks import parse_block, split_blocks

_LINE_END = re.compile(r"\r\n|\n|\r")


@dataclass(frozen=True, slots=True)
class SseEvent:
    """One event. `event` None is the default type; `retry` is milliseconds."""

    data: str
    event: str | None = None
    id: str | None = None
    retry: int | None = None


class SseDecoder:
    """Lines end in CR, LF or both; a blank line ends an event; an unfinished event is dropped.

    An event without `data` is not dispatched, but its `id` is remembered and stays in force for
    the events after it. An `id` with a NUL and a `retry` that is not all digits are ignored.
    """

    def __init__(self) -> None:
        self._text = codecs.getincrementaldecoder("utf-8")("replace")
        self._buffer = ""
        self._started = False
        self._data: list[str] = []
        self._event: str | None = None
        self._retry: int | None = None
        self.last_event_id: str | None = None

    def feed(self, piece: bytes) -> list[SseEvent]:
        """The events completed by this piece."""
        text = self._text.decode(piece)
        if not self._started and text:
            text, self._started = text.removeprefix("\ufeff"), True
        self._buffer += text
        return [event for line in self._lines() if (event := self._line(line)) is not None]

    def _lines(self) -> list[str]:
        """Complete lines. A CR at the very end may be half of a CRLF and has to wait, except
        after an empty line, where the LF would only make another empty line."""
        *lines, rest = _LINE_END.split(self._buffer)
        if lines and lines[-1] and self._buffer.endswith("\r"):
            rest = lines.pop() + "\r"
        self._buffer = rest
        return lines

    def _line(self, line: str) -> SseEvent | None:
        if not line:
            return self._dispatch()
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if name == "data":
            self._data.append(value)
        elif name == "event":
            self._event = value or None
        elif name == "id" and "\0" not in value:
            self.last_event_id = value
        elif name == "retry" and value.isascii() and value.isdigit():
            self._retry = int(value)
        return None

    def _dispatch(self) -> SseEvent | None:
        data, event, retry = self._data, self._event, self._retry
        self._data, self._event, self._retry = [], None, None
        if not data:
            return None
        return SseEvent("\n".join(data), event, self.last_event_id, retry)


class Decoder(Protocol):
    """Turns pieces of a stream into events."""

    def feed(self, piece: bytes) -> list[SseEvent]:
        """The events completed by this piece."""
        ...


def decoder_for(preset: Preset) -> Decoder:
    """A fresh decoder that follows the preset's rules."""
    return SseDecoder() if preset.sse_rules == "whatwg" else BlockDecoder()


def event_json(data: str) -> Any:
    """An event's data as JSON, or as it is."""
    try:
        return orjson.loads(data)
    except orjson.JSONDecodeError:
        return data


class BlockDecoder:
    """The tinkex client's rules: whole blocks, each on its own."""

    def __init__(self) -> None:
        self._buffer = ""

    def feed(self, piece: bytes) -> list[SseEvent]:
        """The events completed by this piece."""
        blocks, self._buffer = split_blocks(self._buffer + piece.decode("utf-8", "replace"))
        fields = [parse_block(block) for block in blocks if block]
        return [SseEvent(one.data, one.event, one.id, one.retry) for one in fields]
