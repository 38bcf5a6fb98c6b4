"""Tokenizers that spell what is not in their vocabulary as single bytes (`<0xE4>`): Llama 2, Gemma.

Their decoder joins the tokens' texts. A run of byte tokens is one text if it is UTF-8 as a whole;
else every byte of the run is U+FFFD. So what a byte means is certain only when its run has ended.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

BYTE = re.compile(r"<0x([0-9A-Fa-f]{2})>")
PATIENCE = 64
REPLACEMENT = "\ufffd"

Spelled = str | int | None
"""A token's text, the byte it stands for, or nothing."""


class ByteFallback:
    """How such a decoder spells tokens."""

    def __init__(
        self, token_of: Callable[[int], str | None], replaced: tuple[str, str], strips_space: bool
    ) -> None:
        self.token_of = token_of
        self.replaced = replaced
        self.strips_space = strips_space
        self.known: dict[int, Spelled] = {}

    @classmethod
    def of(
        cls, decoder: Mapping[str, Any], token_of: Callable[[int], str | None]
    ) -> "ByteFallback | None":
        """From a decoder as tokenizer.json writes it; None for any other kind of decoder."""
        steps = decoder.get("decoders") if decoder.get("type") == "Sequence" else None
        kinds = [step.get("type") for step in steps or ()]
        if kinds[:3] != ["Replace", "ByteFallback", "Fuse"] or kinds[3:] not in ([], ["Strip"]):
            return None
        assert steps is not None
        pattern = steps[0].get("pattern", {}).get("String")
        if not isinstance(pattern, str):
            return None
        strip = steps[3] if len(steps) > 3 else None
        if strip and (strip.get("content"), strip.get("start"), strip.get("stop")) != (" ", 1, 0):
            return None
        return cls(token_of, (pattern, steps[0]["content"]), strip is not None)

    def spell(self, token_id: int) -> Spelled:
        """What one token stands for."""
        try:
            return self.known[token_id]
        except KeyError:
            token = self.token_of(token_id)
            byte = BYTE.fullmatch(token or "")
            spelled = int(byte[1], 16) if byte else token and token.replace(*self.replaced)
            self.known[token_id] = spelled
            return spelled


class FallbackPieces:
    """Pieces of text as tokens come. A run of bytes waits for its end, and is told from then on
    as far as it is UTF-8 once it is longer than PATIENCE."""

    def __init__(
        self,
        spelling: ByteFallback,
        prompt: Sequence[int],
        is_special: Callable[[int], bool] | None,
    ) -> None:
        self._spell = spelling.spell
        self._known = spelling.known
        self._is_special = is_special
        self._run = bytearray()
        self._told = 0
        self._at_start = spelling.strips_space
        self._take_prompt(prompt)

    def _take_prompt(self, prompt: Sequence[int]) -> None:
        """Only what stands at the prompt's end matters: an open run, and whether there is text."""
        run: list[int] = []
        for token_id in reversed(prompt):
            if self._is_special is not None and self._is_special(token_id):
                continue
            spelled = self._spell(token_id)
            if isinstance(spelled, int):
                run.append(spelled)
            elif spelled:
                self._at_start = False
                break
        self._run = bytearray(reversed(run))
        if run and _readable(self._run) == len(self._run):
            self._told = len(self._run)
            self._at_start = False

    def step(self, token_id: int) -> str | None:
        """The text this token releases."""
        if self._is_special is not None and self._is_special(token_id):
            return None
        spelled = self._known[token_id] if token_id in self._known else self._spell(token_id)
        if spelled.__class__ is str:
            if self._run:
                spelled = self._close() + spelled
            if self._at_start and spelled:
                spelled = self._started(spelled)
            return spelled or None
        if spelled is None:
            return None
        self._run.append(spelled)  # type: ignore[arg-type]
        return self._overdue() if len(self._run) - self._told > PATIENCE else None

    def flush(self) -> str:
        """The rest of an open run."""
        text = self._close()
        return self._started(text) if self._at_start and text else text

    def _started(self, text: str) -> str:
        self._at_start = False
        return text.removeprefix(" ")

    def _close(self) -> str:
        run, told = bytes(self._run), self._told
        self._run, self._told = bytearray(), 0
        if _readable(run) == len(run):
            return run[told:].decode("utf-8")
        return REPLACEMENT * (len(run) - told)

    def _overdue(self) -> str | None:
        end = _readable(self._run)
        if end <= self._told:
            return None
        text = self._run[self._told : end].decode("utf-8")
        self._told = end
        return (self._started(text) if self._at_start else text) or None


def _readable(run: bytes | bytearray) -> int:
    """How many of the bytes, from the first on, are whole characters."""
    try:
        run.decode("utf-8")
    except UnicodeDecodeError as error:
        return error.start
    return len(run)
