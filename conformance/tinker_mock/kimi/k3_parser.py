"""Kimi K3's markup in a text, as it arrives: calls out of it, channels' frames away.

`<|open|>call tool="NAME" index="1"<|sep|>` holds typed arguments,
`<|open|>argument key="KEY" type="string"<|sep|>VALUE<|close|>argument<|sep|>`: a string is its own
text, every other type is JSON. Sources: mlc-ai/xgrammar #806, vLLM #51412, JustVugg/colibri #1143.
The format does not escape what stands inside an argument, so a value that holds a closing tag
ends there. What it says depends on the text only, never on the cuts.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from tinker_mock.kimi.json_text import is_json
from tinker_mock.kimi.stream_parser import CallArguments, CallEnd, CallStart, Event, Text

OPEN, CLOSE, SEP, END = "<|open|>", "<|close|>", "<|sep|>", "<|end_of_msg|>"
MARKS = (OPEN, CLOSE, SEP, END)
MARK = re.compile("|".join(map(re.escape, MARKS)))
ATTRIBUTE = re.compile(r'([\w.:-]+)="([^"]*)"')
# Channels whose frames are taken away. A thought keeps its frame: it is no part of the answer.
FRAMES = ("message", "response", "tools")
LONGEST_TAG = 4096


@dataclass
class _OpenCall:
    index: int
    keys: int = 0
    raw: bool = False


@dataclass
class K3Parser:
    """One text. Calls are numbered from 0; their ids are K3's own numbers."""

    held: str = ""
    tag: list[str] | None = None
    closing: bool = False
    call: _OpenCall | None = None
    value: list[str] | None = None
    value_type: str = "string"
    count: int = 0
    text: list[str] = field(default_factory=list)

    def feed(self, text: str) -> list[Event]:
        """What the next piece of text adds."""
        self.held += text
        return list(self._pieces(self._undecided()))

    def finish(self) -> list[Event]:
        """The end of the text: a half tag is text, an open call is incomplete."""
        events = list(self._pieces(len(self.held)))
        if self.tag is not None:
            self.text += [CLOSE if self.closing else OPEN, *self.tag]
            self.tag = None
        events += self._told()
        if self.call is not None:
            events += self._argument() if self.value is not None else []
            events += self._end_call(complete=False)
        return events

    def _undecided(self) -> int:
        """Where a suffix starts that may become a mark."""
        size = len(self.held)
        at = self.held.rfind("<", max(0, size - max(map(len, MARKS)) + 1))
        if at >= 0 and any(mark.startswith(self.held[at:]) for mark in MARKS):
            return at
        return size

    def _pieces(self, limit: int) -> Iterator[Event]:
        text, at = self.held, 0
        for match in MARK.finditer(text, 0, limit):
            yield from self._plain(text[at : match.start()])
            yield from self._mark(match.group())
            at = match.end()
        yield from self._plain(text[at:limit])
        yield from self._told()
        self.held = text[limit:]

    def _plain(self, piece: str) -> Iterator[Event]:
        if not piece:
            return
        if self.tag is not None:
            self.tag.append(piece)
            if sum(map(len, self.tag)) > LONGEST_TAG:
                yield from self._no_tag()
        elif self.value is not None:
            self.value.append(piece)
        elif self.call is None:
            self.text.append(piece)

    def _mark(self, mark: str) -> Iterator[Event]:
        if mark in (OPEN, CLOSE):
            yield from self._no_tag()
            self.tag, self.closing = [], mark == CLOSE
        elif mark == SEP and self.tag is not None:
            written, self.tag = "".join(self.tag), None
            yield from self._close(written) if self.closing else self._open(written)
        elif mark == SEP or self.call is not None:
            yield from self._plain(mark)

    def _no_tag(self) -> Iterator[Event]:
        """What looked like a tag was text."""
        if self.tag is not None:
            written, self.tag = [CLOSE if self.closing else OPEN, *self.tag], None
            for piece in written:
                yield from self._plain(piece)

    def _open(self, written: str) -> Iterator[Event]:
        name, _, rest = written.partition(" ")
        attributes = {k: _unescaped(v) for k, v in ATTRIBUTE.findall(rest)}
        if self.value is None and name == "call" and attributes.get("tool"):
            yield from self._told()
            if self.call is not None:
                yield from self._end_call(complete=False)
            self.call, self.count = _OpenCall(self.count), self.count + 1
            yield CallStart(self.call.index, attributes.get("index", ""), attributes["tool"])
        elif self.value is None and self.call is not None and name in ("argument", "json"):
            self.value, self.value_type = [], attributes.get("type", "string")
            self.call.raw = name == "json"
            if name == "argument":
                comma = ", " if self.call.keys else "{"
                self.call.keys += 1
                key = json.dumps(attributes.get("key", ""), ensure_ascii=False)
                yield CallArguments(self.call.index, f"{comma}{key}: ")
        elif self.value is not None or self.call is not None or name not in FRAMES:
            yield from self._plain(f"{OPEN}{written}{SEP}")

    def _close(self, written: str) -> Iterator[Event]:
        if self.value is not None:
            if self.call is not None and written == ("json" if self.call.raw else "argument"):
                yield from self._argument()
            else:
                yield from self._plain(f"{CLOSE}{written}{SEP}")
        elif self.call is not None:
            if written in ("call", "tools"):
                yield from self._end_call(complete=True)
        elif written not in FRAMES:
            yield from self._plain(f"{CLOSE}{written}{SEP}")

    def _argument(self) -> Iterator[Event]:
        assert self.call is not None
        assert self.value is not None
        text, self.value = "".join(self.value), None
        if not self.call.raw and (self.value_type == "string" or not is_json(text)):
            text = json.dumps(text, ensure_ascii=False)
        yield CallArguments(self.call.index, text)

    def _end_call(self, *, complete: bool) -> Iterator[Event]:
        assert self.call is not None
        call, self.call = self.call, None
        if not call.raw and (complete or call.keys):
            yield CallArguments(call.index, "}" if call.keys else "{}")
        yield CallEnd(call.index, complete)

    def _told(self) -> list[Event]:
        text = "".join(self.text)
        self.text.clear()
        return [Text(text)] if text else []


def _unescaped(value: str) -> str:
    return value.replace("&quot;", '"').replace("&amp;", "&")
