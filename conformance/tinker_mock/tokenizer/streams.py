"""Text out of tokens that arrive one by one: never a character lost, split or repeated.

`DecodeStream` and `Sequence` follow one rule (the prefix/read offsets of the originals, in its
effect): text is released when it does not end in U+FFFD, so an unfinished character waits for
its other bytes, and the pieces with the final flush are exactly the full decode. Cost per token
does not depend on what came before: byte-level tokenizers feed an incremental UTF-8 decoder, those
with single-byte tokens join the tokens' texts, all others decode a short window of recent tokens.
"""

import codecs
from collections.abc import Iterable
from collections.abc import Sequence as Ids
from itertools import takewhile
from typing import Protocol

from tinker_mock.tokenizer.byte_fallback import ByteFallback, FallbackPieces
from tinker_mock.tokenizer.protocols import Tokenizer

PROMPT_WINDOW = 5
PATIENCE = 64
REPLACEMENT = "\ufffd"
_utf8 = codecs.getincrementaldecoder("utf-8")


class _Pieces(Protocol):
    def step(self, token_id: int) -> str | None: ...
    def flush(self) -> str: ...


class _BytePieces:
    """For tokens that are bytes. Held text is what ends in U+FFFD so far."""

    def __init__(self, tokenizer: Tokenizer, prompt: Ids[int], skip_special_tokens: bool) -> None:
        self._is_special = tokenizer.is_special if skip_special_tokens else None
        self._bytes_of = tokenizer.token_bytes
        self._utf8 = _utf8("replace")
        self._held = ""
        self._prompt_unfinished = False
        for token_id in prompt[-PROMPT_WINDOW:]:
            self.step(token_id)
        self._held = ""
        self._prompt_unfinished = bool(self._utf8.getstate()[0])

    def step(self, token_id: int) -> str | None:
        if self._is_special is not None and self._is_special(token_id):
            return None
        self._held += self._utf8.decode(self._bytes_of(token_id) or b"")
        if not self._held or self._held[-1] == REPLACEMENT or self._utf8.getstate()[0]:
            return None
        return self._release()

    def flush(self) -> str:
        self._held += self._utf8.decode(b"", final=True)
        return self._release()

    def _release(self) -> str:
        text, self._held = self._held, ""
        if self._prompt_unfinished:
            # The prompt's decode ended with this U+FFFD already.
            self._prompt_unfinished = False
            return text.removeprefix(REPLACEMENT)
        return text


class _WindowPieces:
    """For tokenizers whose decoder is more than joining bytes: decode a window, send the rest.

    The window holds the tokens of the last release (what stands before decides how the next is
    spelled) and those after `_mark` that wait; `_sent` is the decode of the former. `_alone`
    remembers the decode of single tokens.
    """

    def __init__(self, tokenizer: Tokenizer, prompt: Ids[int], skip_special_tokens: bool) -> None:
        self._decode = tokenizer.decode
        self._is_special = tokenizer.is_special
        self._skip = skip_special_tokens
        self._alone: dict[int, str] = {}
        self._window: list[int] = []
        for start in range(len(prompt) - PROMPT_WINDOW, len(prompt) - PATIENCE, -1):
            self._window = list(prompt[max(start, 0) :])
            self._sent = self._decode(self._window, skip_special_tokens=skip_special_tokens)
            if start <= 0 or not self._sent.startswith(REPLACEMENT):
                break  # not inside a character
        self._mark = len(self._window)

    def _unsent(self, text: str) -> str:
        if text.startswith(self._sent):
            return text[len(self._sent) :]
        pairs = zip(self._sent, text, strict=False)
        same = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))
        return text[same:]

    def step(self, token_id: int) -> str | None:
        if self._skip and self._is_special(token_id):
            return None
        window = self._window
        window.append(token_id)
        text = self._decode(window, skip_special_tokens=self._skip)
        sent = self._sent
        piece = text[len(sent) :] if text.startswith(sent) else self._unsent(text)
        if (not piece or text[-1] == REPLACEMENT) and len(window) - self._mark <= PATIENCE:
            return None
        self._release()
        return piece or None

    def flush(self) -> str:
        text = self._decode(self._window, skip_special_tokens=self._skip)
        piece = self._unsent(text)
        self._release()
        return piece

    def _release(self) -> None:
        window = self._window
        sent = self._told(window[self._mark :])
        # The mark may stand inside a character. What decodes to nothing by itself, as SentencePiece
        # has it with spaces, does not show that a text goes on.
        if sent and not self._sent.endswith(REPLACEMENT):
            del window[: self._mark]
        else:
            del window[1 : 1 - PATIENCE]
            sent = self._told(window)
        if len(window) > PATIENCE:
            del window[:-PATIENCE]
            sent = self._told(window)
        self._mark = len(window)
        self._sent = sent

    def _told(self, ids: list[int]) -> str:
        if len(ids) != 1:
            return self._decode(ids, skip_special_tokens=self._skip)
        text = self._alone.get(ids[0])
        if text is None:
            text = self._alone[ids[0]] = self._decode(ids, skip_special_tokens=self._skip)
        return text


def _pieces(tokenizer: Tokenizer, prompt: Ids[int], skip_special_tokens: bool) -> _Pieces:
    if tokenizer.byte_level:
        return _BytePieces(tokenizer, prompt, skip_special_tokens)
    spelling = getattr(tokenizer, "byte_fallback", None)
    if isinstance(spelling, ByteFallback):
        is_special = tokenizer.is_special if skip_special_tokens else None
        return FallbackPieces(spelling, prompt, is_special)
    return _WindowPieces(tokenizer, prompt, skip_special_tokens)


class DecodeStream:
    """Pieces of text as tokens come: `step` gives the new text, or None while it must wait.

    The prompt's text is never repeated; its last tokens only tell the decoder where it stands.
    """

    def __init__(
        self, tokenizer: Tokenizer, prompt: Ids[int] = (), *, skip_special_tokens: bool = False
    ) -> None:
        self._pieces = _pieces(tokenizer, prompt, skip_special_tokens)
        self.step = self._pieces.step

    def step_batch(self, ids: Iterable[int]) -> list[str]:
        """The pieces that several tokens release."""
        return [piece for token_id in ids if (piece := self.step(token_id)) is not None]

    def flush(self) -> str | None:
        """What is still held (an unfinished character as U+FFFD), or None."""
        return self._pieces.flush() or None


class Sequence:
    """A growing list of tokens and the text each one adds ("" while it must wait)."""

    def __init__(
        self, tokenizer: Tokenizer, prompt: Ids[int] = (), *, skip_special_tokens: bool = False
    ) -> None:
        self.tokenizer = tokenizer
        self.skip_special_tokens = skip_special_tokens
        self.ids = list(prompt)
        self._pieces = _pieces(tokenizer, self.ids, skip_special_tokens)

    def __len__(self) -> int:
        return len(self.ids)

    def append(self, token_id: int) -> str:
        """The text this token completes."""
        self.ids.append(token_id)
        return self._pieces.step(token_id) or ""

    def append_text(self, text: str, *, add_special_tokens: bool = False) -> str:
        """Encode `text`, append its tokens, and give the text they complete."""
        ids = self.tokenizer.encode(text, add_special_tokens=add_special_tokens)
        return "".join(map(self.append, ids))

    def flush(self) -> str:
        """What is still held; call it at the end."""
        return self._pieces.flush()

    def text(self) -> str:
        """The whole decode, prompt included."""
        return self.tokenizer.decode(self.ids, skip_special_tokens=self.skip_special_tokens)

    def clear(self) -> None:
        self.ids.clear()
        self._pieces = _pieces(self.tokenizer, (), self.skip_special_tokens)
