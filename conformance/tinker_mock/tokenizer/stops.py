"""Stopping at strings and tokens, in text that arrives in pieces.

Semantics. A hidden stop is cut from the output, a visible one kept. The match that ends first
wins; of several that end together, the one that starts first, hidden before visible. Text that
could still become a stop is held back ("jailed"): with `hold="partial"` (the documented rule) the
longest suffix that begins a stop string, with `hold="window"` (newer gateways) always the last
bytes, as many as the longest stop has. Both stop at the same place with the same text; they
differ in when text is released. Empty stop strings are ignored.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from tinker_mock.tokenizer.protocols import Tokenizer
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


@dataclass
class StopScanner:
    """Stop strings in text alone: feed pieces, read what is safe to show.

    `matched` is the stop string that was met, None before.
    """

    hidden: tuple[str, ...] = ()
    visible: tuple[str, ...] = ()
    hold: Hold = "partial"
    matched: str | None = None
    _jail: str = field(default="", repr=False)

    def __post_init__(self) -> None:
        marked = [(s, False) for s in self.hidden] + [(s, True) for s in self.visible]
        self._stops = [(stop, visible) for stop, visible in marked if stop]
        texts = [stop for stop, _ in self._stops]
        self._prefixes = {stop[:end] for stop in texts for end in range(1, len(stop))}
        self._longest = max(map(len, texts), default=0)
        self._window_bytes = max((len(stop.encode()) for stop in texts), default=0)

    def feed(self, text: str) -> str:
        """The text that may be shown now. After a match: its text before (or through) the stop,
        and "" ever after."""
        if self.matched is not None:
            return ""
        jail = self._jail + text
        if not self._stops:
            return jail
        if found := self._earliest(jail):
            end, self.matched = found
            self._jail = ""
            return jail[:end]
        keep = self._partial_length(jail) if self.hold == "partial" else self._window_length(jail)
        self._jail = jail[len(jail) - keep :]
        return jail[: len(jail) - keep]

    def flush(self) -> str:
        """The text held back, which now can become no stop."""
        text, self._jail = self._jail, ""
        return text

    def reset(self) -> None:
        self._jail, self.matched = "", None

    def _earliest(self, text: str) -> tuple[int, str] | None:
        """Where to cut `text`, and the stop string that says so."""
        best: tuple[int, int, bool] | None = None
        for stop, visible in self._stops:
            at = text.find(stop)
            if at >= 0:
                candidate = (at + len(stop), at, visible)
                best = candidate if best is None else min(best, candidate)
        if best is None:
            return None
        end, start, visible = best
        return (end if visible else start), text[start:end]

    def _partial_length(self, text: str) -> int:
        longest = min(len(text), self._longest - 1)
        return next((n for n in range(longest, 0, -1) if text[-n:] in self._prefixes), 0)

    def _window_length(self, text: str) -> int:
        size = 0
        for length, character in enumerate(reversed(text), 1):
            size += len(character.encode())
            if size >= self._window_bytes:
                return length
        return len(text)


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
        text = self._scanner.feed(self._sequence.append(token_id))
        return self._output(text)

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
