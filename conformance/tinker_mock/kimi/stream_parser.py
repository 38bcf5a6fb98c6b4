"""Tool calls out of marked text, as it arrives.

The same machine parses a whole text (`parse`) and a stream (`feed` … `finish`); what it says
depends on the text only, never on where the stream was cut. It never raises.

A section without a call is text, markers and all: MoonshotAI/Kimi-K2 docs/tool_call_guidance.md
answers with the raw output where it finds none.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import Enum

from tinker_mock.kimi.json_text import is_json
from tinker_mock.kimi.markers import Kind, Lexer, ToolTokens
from tinker_mock.kimi.naming import Toolbox, name_from_arguments, name_from_id, needs_arguments


@dataclass(frozen=True)
class Text:
    """Content outside of tool calls."""

    text: str


@dataclass(frozen=True)
class CallStart:
    """Call number `index` (dense, from 0) of function `name`; `id` as the model wrote it."""

    index: int
    id: str
    name: str


@dataclass(frozen=True)
class CallArguments:
    """More of call `index`'s arguments."""

    index: int
    text: str


@dataclass(frozen=True)
class CallEnd:
    """Call `index` is over; not `complete` if the text ended inside it."""

    index: int
    complete: bool


@dataclass(frozen=True)
class Unparsed:
    """Marked text that is no call: a broken id, noise between markers."""

    raw: str


Event = Text | CallStart | CallArguments | CallEnd | Unparsed


@dataclass(frozen=True)
class Policy:
    """Where parsers differ. The defaults never lose text; `OFFICIAL` is what engines do."""

    trailing: bool = True
    """Text after the last section is content (vLLM drops it)."""
    lenient: bool = True
    """Calls outside a section, ids without an index and foreign ids count."""
    strip_stray_ends: bool = False
    """An end marker without a section is removed (SGLang's stream) instead of kept as text."""


OFFICIAL = Policy(trailing=False, lenient=False)
LONGEST_LEAD = 512
"""So many characters after a section's marker without a call, and it is prose; until then a stream
waits."""


class State(Enum):
    """Where in the markup the parser is."""

    OUTSIDE = 0
    SECTION = 1
    ID = 2
    ARGUMENTS = 3


@dataclass
class _Call:
    """The call being read. Pieces are joined once, so that long calls cost what they are long."""

    raw: list[str] = field(default_factory=list)
    written_id: list[str] = field(default_factory=list)
    id: str = ""
    index: int | None = None
    pending: list[str] = field(default_factory=list)
    space: list[str] = field(default_factory=list)
    arguments_begun: bool = False
    arguments_seen: bool = False
    in_section: bool = True


@dataclass
class _Section:
    """A section. What stands in it is kept until its first call: prose may name the markers."""

    kept: list[tuple[Kind | None, Text | Unparsed]] = field(default_factory=list)
    noise: list[str] = field(default_factory=list)
    size: int = 0
    has_call: bool = False


@dataclass
class StreamParser:
    """One text. `tools` are the request's, for names that only they can tell."""

    tools: object = None
    tokens: ToolTokens = field(default_factory=ToolTokens)
    policy: Policy = field(default_factory=Policy)

    def __post_init__(self) -> None:
        self.toolbox = Toolbox(self.tools)
        self.lexer = Lexer(self.tokens)
        self.state = State.OUTSIDE
        self.call = _Call()
        self.count = 0
        self.after_section = False
        self.trailing: list[str] = []
        self.section = _Section()

    def feed(self, text: str) -> list[Event]:
        """What the next piece of text adds."""
        return [event for kind, piece in self.lexer.feed(text) for event in self._on(kind, piece)]

    def finish(self) -> list[Event]:
        """What the end of the text adds; an open call is closed as incomplete."""
        events = [event for kind, piece in self.lexer.finish() for event in self._on(kind, piece)]
        if self.state in (State.ID, State.ARGUMENTS):
            in_section = self.call.in_section
            events += self._end_call(complete=False)
            self.state = State.SECTION if in_section else State.OUTSIDE
        if self.state is State.SECTION:
            events += self._end_noise() if self.section.has_call else self._no_section()
        self.state = State.OUTSIDE
        return events

    def _on(self, kind: Kind | None, piece: str) -> Iterator[Event]:
        if self.state is State.OUTSIDE:
            return self._outside(kind, piece)
        if self.state is State.SECTION:
            return self._section(kind, piece)
        return self._in_call(kind, piece)

    def _outside(self, kind: Kind | None, piece: str) -> Iterator[Event]:
        if kind is Kind.SECTION_BEGIN:
            self.state, self.section = State.SECTION, _Section([(kind, Text(piece))])
        elif kind is Kind.CALL_BEGIN and self.policy.lenient:
            self._begin_call(piece, in_section=False)
        elif kind is Kind.SECTION_END and self.policy.strip_stray_ends:
            return
        else:
            yield from self._content(piece)

    def _content(self, piece: str) -> Iterator[Event]:
        if self.after_section and not self.policy.trailing:
            self.trailing.append(piece)
        else:
            yield Text(piece)

    def _section(self, kind: Kind | None, piece: str) -> Iterator[Event]:
        section = self.section
        if kind is None or kind in (Kind.CALL_END, Kind.ARGUMENTS):
            section.noise.append(piece)
            section.size += len(piece)
            if section.size > LONGEST_LEAD and not section.has_call and self.policy.lenient:
                yield from self._no_section()
            return
        yield from self._end_noise()
        if kind is Kind.CALL_BEGIN:
            self._begin_call(piece, in_section=True)
        elif section.has_call:
            if kind is Kind.SECTION_END:
                self.state, self.after_section = State.OUTSIDE, True
        elif kind is Kind.SECTION_BEGIN and section.kept[-1][0] is kind:
            section.kept.append((kind, Text(piece)))
        else:
            yield from self._no_section()
            yield from self._outside(kind, piece)

    def _end_noise(self) -> Iterator[Event]:
        noise = "".join(self.section.noise)
        self.section.noise.clear()
        if not self.section.has_call:
            self.section.kept += [(None, Text(noise))] if noise else []
        elif noise.strip():
            yield Unparsed(noise)

    def _no_section(self) -> Iterator[Event]:
        """It has no call: its markers are text like the rest."""
        yield from self._end_noise()
        for _, event in self.section.kept:
            if isinstance(event, Text):
                yield from self._content(event.text)
            else:
                yield event
        self.state, self.section = State.OUTSIDE, _Section()

    def _first_call(self) -> Iterator[Event]:
        """It has a call: its markers are none of the content."""
        self.section.has_call = True
        if self.trailing:
            yield Text("".join(self.trailing))
            self.trailing.clear()
        for kind, event in self.section.kept:
            if isinstance(event, Unparsed):
                yield event
            elif kind is None and event.text.strip():
                yield Unparsed(event.text)

    def _begin_call(self, piece: str, *, in_section: bool) -> None:
        self.state = State.ID
        self.call = _Call(raw=[piece], in_section=in_section)

    def _in_call(self, kind: Kind | None, piece: str) -> Iterator[Event]:
        if kind in (Kind.CALL_END, Kind.CALL_BEGIN, Kind.SECTION_END):
            if kind is Kind.CALL_END and self.call.index is None:
                self.call.raw.append(piece)
            in_section = self.call.in_section
            yield from self._end_call(complete=True)
            self.state = State.SECTION if in_section else State.OUTSIDE
            if kind is not Kind.CALL_END:
                yield from self._on(kind, piece)
            return
        if self.call.index is None:
            self.call.raw.append(piece)
        if self.state is State.ID:
            if kind is Kind.ARGUMENTS:
                yield from self._begin_arguments()
            else:
                self.call.written_id.append(piece)
            return
        yield from self._arguments(piece)

    def _begin_arguments(self) -> Iterator[Event]:
        self.state = State.ARGUMENTS
        self.call.arguments_begun = True
        self.call.id = "".join(self.call.written_id).strip()
        name = name_from_id(self.call.id, self.toolbox, lenient=self.policy.lenient)
        if name:
            yield from self._start(name)

    def _start(self, name: str) -> Iterator[Event]:
        if self.call.in_section and not self.section.has_call:
            yield from self._first_call()
        self.call.index, self.count = self.count, self.count + 1
        yield CallStart(self.call.index, self.call.id, name)

    def _arguments(self, piece: str) -> Iterator[Event]:
        """Pass arguments on without the space around them."""
        text = piece if self.call.arguments_seen else piece.lstrip()
        ends = len(text.rstrip())
        if ends:
            kept = "".join([*self.call.space, text[:ends]])
            self.call.space.clear()
        if ends < len(text):
            self.call.space.append(text[ends:])
        if not ends:
            return
        self.call.arguments_seen = True
        if self.call.index is None:
            self.call.pending.append(kept)
        else:
            yield CallArguments(self.call.index, kept)

    def _end_call(self, *, complete: bool) -> Iterator[Event]:
        call = self.call
        if call.index is None:
            name = self._late_name()
            if name is None:
                yield from self._broken_call()
                return
            yield from self._start(name)
            if call.pending:
                yield CallArguments(self.count - 1, "".join(call.pending))
        yield CallEnd(self.count - 1, complete)

    def _broken_call(self) -> Iterator[Event]:
        """Nobody's call. With arguments it still shows that its section is one."""
        call, broken = self.call, Unparsed("".join(self.call.raw))
        if call.in_section and not self.section.has_call:
            if not (call.arguments_begun and is_json("".join(call.pending))):
                self.section.kept.append((None, broken))
                return
            yield from self._first_call()
        yield broken

    def _late_name(self) -> str | None:
        """The function of a call whose id did not tell it, once its arguments are there."""
        call = self.call
        if call.arguments_begun and needs_arguments(call.id, lenient=self.policy.lenient):
            return name_from_arguments("".join(call.pending), self.toolbox)
        return None


@dataclass
class ParsedCall:
    """One call of a parsed text; `arguments` as written, valid JSON or not."""

    id: str
    name: str
    arguments: str = ""
    complete: bool = False


@dataclass
class Parsed:
    """A text taken apart."""

    content: str = ""
    calls: list[ParsedCall] = field(default_factory=list)
    unparsed: list[str] = field(default_factory=list)

    def add(self, events: list[Event]) -> "Parsed":
        """Apply a parser's events, in order."""
        for event in events:
            match event:
                case Text(text):
                    self.content += text
                case CallStart(_, id, name):
                    self.calls.append(ParsedCall(id, name))
                case CallArguments(index, text):
                    self.calls[index].arguments += text
                case CallEnd(index, complete):
                    self.calls[index].complete = complete
                case Unparsed(raw):
                    self.unparsed.append(raw)
        return self


def parse(
    text: str,
    tools: object = None,
    *,
    tokens: ToolTokens | None = None,
    policy: Policy | None = None,
) -> Parsed:
    """Take a whole text apart."""
    parser = StreamParser(tools, tokens or ToolTokens(), policy or Policy())
    return Parsed().add(parser.feed(text) + parser.finish())
