"""A tokenizer for models whose real one is not on this machine.

Every id has a text and every text has ids: the last ordinary ids are the 256 bytes, the others
pronounceable words made of syllables, each with its leading space. Ids keep the model's
vocabulary size and special ids, so prompts and samples have the right shape; the words are not
the model's.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from tinker_mock.server.tokenizers import no_special_tokens

if TYPE_CHECKING:
    from tinker_mock.server.tokenizers import ChatTemplate, SpecialTokens

SYLLABLES = tuple(c + v for c in "bdfghjklmnprstvwyz" for v in "aeiou")
VALUES = {syllable: value for value, syllable in enumerate(SYLLABLES)}
BASE = len(SYLLABLES)
BYTES = 256
PIECE = re.compile(rb" [a-z]+|.", re.DOTALL)
SPECIAL = re.compile(r"<\|special_(\d+)\|>")


class PlaceholderTokenizer:
    """Has the whole interface of a tokenizer, and no chat template."""

    byte_level = True
    chat_template: ChatTemplate | None = None

    def __init__(self, name: str, size: int, specials: frozenset[int]) -> None:
        self.name = name
        self.vocab_size = size
        self.specials = specials
        ordinary = (token for token in reversed(range(size)) if token not in specials)
        self.byte_ids = [next(ordinary) for _ in range(BYTES)]
        self.byte_of = {token: value for value, token in enumerate(self.byte_ids)}

    @property
    def special_tokens(self) -> SpecialTokens:
        """Special ids have no names here."""
        return no_special_tokens()

    def encode(
        self,
        text: str,
        *,
        add_special_tokens: bool = False,
        allow_special_tokens: bool | None = None,
    ) -> list[int]:
        """Known words as one id, everything else as bytes."""
        ids: list[int] = []
        for piece in PIECE.findall(text.encode("utf-8", "replace")):
            token = self._word_id(piece) if len(piece) > 1 else None
            ids += [self.byte_ids[value] for value in piece] if token is None else [token]
        return ids

    def encode_batch(
        self,
        texts: Sequence[str],
        *,
        add_special_tokens: bool = False,
        allow_special_tokens: bool | None = None,
    ) -> list[list[int]]:
        """`encode` of each."""
        return [self.encode(text) for text in texts]

    def decode(self, ids: Sequence[int], *, skip_special_tokens: bool = False) -> str:
        """The texts of the ids; bytes that are not UTF-8 become U+FFFD."""
        kept = [t for t in ids if not (skip_special_tokens and self.is_special(t))]
        return b"".join(self.token_bytes(token) for token in kept).decode("utf-8", "replace")

    def token_bytes(self, token_id: int) -> bytes:
        """The bytes one id stands for."""
        if token_id in self.byte_of:
            return bytes([self.byte_of[token_id]])
        if self.is_special(token_id):
            return f"<|special_{token_id}|>".encode()
        number, word = token_id + BASE, ""
        while number:
            number, digit = divmod(number, BASE)
            word = SYLLABLES[digit] + word
        return f" {word}".encode()

    def _word_id(self, piece: bytes) -> int | None:
        word = piece[1:].decode()
        pairs = [word[at : at + 2] for at in range(0, len(word), 2)]
        if any(pair not in VALUES for pair in pairs):
            return None
        number = 0
        for pair in pairs:
            number = number * BASE + VALUES[pair]
        token = number - BASE
        known = 0 <= token < self.vocab_size and token not in self.byte_of
        return token if known and self.token_bytes(token) == piece else None

    def token_to_id(self, token: str) -> int | None:
        """The id whose text this is."""
        if match := SPECIAL.fullmatch(token):
            return int(match[1])
        ids = self.encode(token)
        return ids[0] if len(ids) == 1 else None

    def id_to_token(self, token_id: int) -> str | None:
        """The text of an id."""
        return self.decode([token_id]) if 0 <= token_id < self.vocab_size else None

    def is_special(self, token_id: int) -> bool:
        """Turn ends, thinking and other marks of the model."""
        return token_id in self.specials

    def apply_chat_template(self, messages: Sequence[Mapping[str, Any]], **more: Any) -> str:
        """A placeholder has no template; prompts are built from the catalogue's turn marks."""
        raise LookupError("a placeholder tokenizer has no chat template")
