"""What is judged: a tokenizer with its streams and stops, and the texts to judge it by."""

import random
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from tinker_mock.suite.core.verdict import Inapplicable
from tinker_mock.tokenizer import DecodeStream, StopSequenceDecoder, Tokenizer

SCRIPTS = (
    *((0x20, 0x24F), (0x370, 0x52F), (0x590, 0x6FF), (0x900, 0x97F), (0xE00, 0xE7F)),
    *((0x3040, 0x30FF), (0x4E00, 0x9FFF), (0xAC00, 0xD7A3), (0x2190, 0x22FF)),
    *((0x1D400, 0x1D7FF), (0x1F300, 0x1FAFF), (0x20000, 0x20FFF)),
)
COMMON = (
    "the ",
    "Hello",
    " world",
    "\n",
    "  ",
    "it's",
    "12345",
    ".",
    " = ",
    "中文",
    "🎉",
    "{",
    "\t",
)
FIXED = ("", " ", "Hello world", "a\n\n b", "世界", "🎉🎉", "é", "x = [1, 2, 3]", "don't")


class Stream(Protocol):
    """A decode stream, ours or one under test."""

    def step(self, token_id: int) -> str | None: ...
    def flush(self) -> str | None: ...


@dataclass(frozen=True)
class Subject:
    """A tokenizer under test, and how it streams and stops."""

    tokenizer: Tokenizer
    stream: Callable[[Tokenizer, Sequence[int]], Stream] = DecodeStream
    stopper: Callable[..., StopSequenceDecoder] = StopSequenceDecoder
    texts: tuple[str, ...] = field(default_factory=lambda: sample_texts(0))

    def streamed(self, ids: Sequence[int], prompt: Sequence[int] = ()) -> list[str]:
        """The pieces of `ids`, the flush last."""
        stream = self.stream(self.tokenizer, prompt)
        pieces = [piece for token in ids if (piece := stream.step(token)) is not None]
        return [*pieces, stream.flush() or ""]

    def exact(self) -> tuple[str, ...]:
        """Texts that a tokenizer can give back to the byte: those it need not normalise."""
        if not self.tokenizer.byte_level:
            raise Inapplicable("tokens are not bytes: white space may change")
        return self.texts

    def specials(self) -> dict[str, int]:
        """The special tokens that `skip_special_tokens` drops, text to id."""
        ids = self.tokenizer.special_tokens.ids
        found = {text: i for text, i in ids.items() if self.tokenizer.is_special(i)}
        if not found:
            raise Inapplicable("there are no special tokens")
        return found


def sample_texts(seed: int, count: int = 120) -> tuple[str, ...]:
    """Texts over all scripts, well formed and in NFC."""
    rng = random.Random(seed)
    return FIXED + tuple(_text(rng) for _ in range(count))


def _text(rng: random.Random) -> str:
    parts = []
    for _ in range(rng.randint(1, 24)):
        if rng.random() < 0.5:
            parts.append(rng.choice(COMMON))
        else:
            first, last = rng.choice(SCRIPTS)
            parts.append(chr(rng.randint(first, last)))
    return unicodedata.normalize("NFC", "".join(parts))
