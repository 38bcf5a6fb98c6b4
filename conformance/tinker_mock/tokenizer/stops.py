"""Stopping at strings and tokens, in text that arrives in pieces.

Semantics. A hidden stop is cut from the output, a visible one kept. The match that ends first
wins; of several that end together, the one that starts first, hidden before visible. Text that
could still become a stop is held back ("jailed"): with `hold="partial"` (the documented rule) the
longest suffix that begins a stop string, with `hold="window"` (newer gateways) always the last
bytes, as many as the longest stop has. Both stop at the same place with the same text; they
differ in when text is released. Empty stop strings are ignored.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any, Literal, NamedTuple

from tinker_mock.tokenizer.protocols import Tokenizer
from tinker_mock.tokenizer.stop_automaton import StopAutomaton
from tinker_mock.tokenizer.streams import Sequence

Hold = Literal["partial", "window"]
Kind = Literal["text", "held", "stopped", "stopped_with_text"]


@dataclass(frozen=True)
class StopSequences:
    """What ends a generation."""

    stop_tokens: frozenset[int] = frozenset()
    stop_sequences: tuple[str, ...] = ()
    visible_stop_tokens: frozenset[int] = frozenset()
    visible_stop_sequences: tuple[str, ...] = ()


class Output(NamedTuple):
    """What one step releases: text, nothing yet, or the end (with the text before it)."""

    kind: Kind
    text: str = ""

    @property
    def stopped(self) -> bool:
        return self.kind in ("stopped", "stopped_with_text")


HELD = Output("held")
STOPPED = Output("stopped")


class StopScanner:
    """Stop strings in text alone: feed pieces, read what is safe to show.

    `matched` is the stop string that was met, None before. All stops are looked for at once, so
    the cost of a piece does not depend on how many there are.
    """

    def __init__(
        self, hidden: Iterable[str] = (), visible: Iterable[str] = (), hold: Hold = "partial"
    ) -> None:
        marked = [(s, False) for s in hidden] + [(s, True) for s in visible]
        stops = [(stop, shown) for stop, shown in marked if stop]
        self.hold = hold
        self.matched: str | None = None
        self._automaton = StopAutomaton(stops) if stops else None
        self._window_bytes = max((_bytes(stop) for stop, _ in stops), default=0)
        self._jail = ""
        self._state = 0

    def feed(self, text: str) -> str:
        """The text that may be shown now. After a match: its text before (or through) the stop,
        and "" ever after."""
        automaton = self._automaton
        if self.matched is not None:
            return ""
        if automaton is None:
            return text
        if self._state or automaton.firsts.search(text):
            self._state, end, stop, shown = automaton.scan(self._state, text)
            if stop is not None:
                return self._cut(text, end, stop, shown)
        elif not self._jail and self.hold == "partial":
            return text
        jail = self._jail + text
        held = automaton.depths[self._state]
        keep = held if self.hold == "partial" else self._window_length(jail)
        self._jail = jail[len(jail) - keep :]
        return jail[: len(jail) - keep]

    def _cut(self, text: str, end: int, stop: str, shown: bool) -> str:
        jail = self._jail + text
        end += len(self._jail)
        self.matched, self._jail = stop, ""
        return jail[: end if shown else end - len(stop)]

    def flush(self) -> str:
        """The text held back, which now can become no stop."""
        text, self._jail, self._state = self._jail, "", 0
        return text

    def reset(self) -> None:
        self._jail, self.matched, self._state = "", None, 0

    def _window_length(self, text: str) -> int:
        size = 0
        for length, character in enumerate(reversed(text), 1):
            size += _bytes(character)
            if size >= self._window_bytes:
                return length
        return len(text)


def _bytes(text: str) -> int:
    return len(text.encode("utf-8", "surrogatepass"))


class StopSequenceDecoder:
    """Tokens in, text out, until a stop. One object per generation; not shared by threads."""

    def __init__(
        self,
        tokenizer: Tokenizer,
        stops: StopSequences,
        *,
        skip_special_tokens: bool = True,
        hold: Hold = "partial",
        prompt: Iterable[int] = (),
    ) -> None:
        self._tokenizer = tokenizer
        self._stops = stops
        self._hold = hold
        self._scanner = StopScanner(stops.stop_sequences, stops.visible_stop_sequences, hold)
        self._sequence = Sequence(tokenizer, list(prompt), skip_special_tokens=skip_special_tokens)
        self.stopped = False
        self.matched_stop: str | int | None = None

    def process(self, token_id: int) -> Output:
        """Take one token. After a stop every token is answered `stopped`."""
        if self.stopped:
            return STOPPED
        if token_id in self._stops.stop_tokens:
            return self._stop_at_token(token_id, None)
        if token_id in self._stops.visible_stop_tokens:
            shown = self._tokenizer.decode(
                [token_id], skip_special_tokens=self._sequence.skip_special_tokens
            )
            return self._stop_at_token(token_id, shown)
        piece = self._sequence.append(token_id)
        return self._output(self._scanner.feed(piece)) if piece else HELD

    def process_token(self, token_id: int) -> Output:
        """The same as `process`."""
        return self.process(token_id)

    def is_stopped(self) -> bool:
        """The same as `stopped`."""
        return self.stopped

    def process_tokens(self, ids: Iterable[int]) -> list[Output]:
        """One output per token; tokens after a stop are not looked at."""
        outputs: list[Output] = []
        for token_id in ids:
            outputs.append(self.process(token_id))
            if self.stopped:
                break
        return outputs

    def flush(self) -> Output:
        """The end of the tokens: what is still held. An unfinished character comes as U+FFFD."""
        if self.stopped:
            return self._nothing()
        output = self._output(self._rest())
        return self._nothing() if output is HELD else output

    def reset(self) -> None:
        """Ready for another generation (without the prompt)."""
        self._scanner.reset()
        self._sequence.clear()
        self.stopped, self.matched_stop = False, None

    def _nothing(self) -> Output:
        return Output("text") if self._hold == "partial" else HELD

    def _rest(self) -> str:
        text = self._scanner.feed(self._sequence.flush())
        self._note_match()
        return text + self._scanner.flush()

    def _note_match(self) -> None:
        if self._scanner.matched is not None:
            self.stopped, self.matched_stop = True, self._scanner.matched

    def _stop_at_token(self, token_id: int, shown: str | None) -> Output:
        """`shown` is a visible stop's text, None for a hidden one."""
        text = self._rest()
        if self.matched_stop is None:
            self.stopped, self.matched_stop = True, token_id
            text += shown or ""
        return STOPPED if not text and shown is None else Output("stopped_with_text", text)

    def _output(self, text: str) -> Output:
        self._note_match()
        if self.stopped:
            return Output("stopped_with_text", text) if text else STOPPED
        return Output("text", text) if text else HELD


@dataclass
class StopSequenceDecoderBuilder:
    """The same as `StopSequences` and `StopSequenceDecoder`, said one stop after another:
    `StopSequenceDecoderBuilder(tokenizer).stop_token(2).stop_sequence("\\n\\n").build()`."""

    tokenizer: Tokenizer
    stops: StopSequences = StopSequences()
    skip_specials: bool = True

    def stop_token(self, token_id: int) -> "StopSequenceDecoderBuilder":
        """End at this token, and leave it out."""
        return self._with(stop_tokens=self.stops.stop_tokens | {token_id})

    def stop_sequence(self, text: str) -> "StopSequenceDecoderBuilder":
        """End at this text, and leave it out."""
        return self._with(stop_sequences=(*self.stops.stop_sequences, text))

    def visible_stop_token(self, token_id: int) -> "StopSequenceDecoderBuilder":
        """End with this token."""
        return self._with(visible_stop_tokens=self.stops.visible_stop_tokens | {token_id})

    def visible_stop_sequence(self, text: str) -> "StopSequenceDecoderBuilder":
        """End with this text."""
        return self._with(visible_stop_sequences=(*self.stops.visible_stop_sequences, text))

    def skip_special_tokens(self, skip: bool) -> "StopSequenceDecoderBuilder":
        """Whether special tokens are left out of the text (they are, unless told otherwise)."""
        return replace(self, skip_specials=skip)

    def build(self, *, prompt: Iterable[int] = ()) -> StopSequenceDecoder:
        """A decoder for one generation; the builder may be used again."""
        return StopSequenceDecoder(
            self.tokenizer, self.stops, skip_special_tokens=self.skip_specials, prompt=prompt
        )

    def _with(self, **stops: Any) -> "StopSequenceDecoderBuilder":
        return replace(self, stops=replace(self.stops, **stops))


def text_until_stop(
    tokenizer: Tokenizer,
    ids: Iterable[int],
    stops: StopSequences,
    *,
    skip_special_tokens: bool = True,
) -> tuple[str, str | int | None]:
    """The whole text up to the first stop, and that stop (None: there was none)."""
    decoder = StopSequenceDecoder(tokenizer, stops, skip_special_tokens=skip_special_tokens)
    outputs = decoder.process_tokens(ids)
    outputs.append(decoder.flush())
    return "".join(output.text for output in outputs), decoder.matched_stop
