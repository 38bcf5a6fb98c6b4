"""A stand-in tokenizer: byte-pair encoding in plain Python, needing no library."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from tinker_mock.server.stand_in.vocabulary import Vocabulary, merged

PATTERN = r" ?[A-Za-z]{1,64}| ?[0-9]{1,3}| ?[^ \t\n\rA-Za-z0-9]{1,64}|[ \t\n\r]{1,64}"
"""How a text is cut before merging, in syntax that every regex engine reads alike.

Pieces are bounded: merging one takes the square of its length.
"""

KEPT_PIECES = 65536


class StandInTokenizer:
    """Has the whole interface of a tokenizer. `special_tokens` names its roles.

    Reading back what was encoded gives the text again; ids are below the model's vocabulary size.
    """

    byte_level = True
    chat_template: Any = None

    def __init__(self, name: str, vocabulary: Vocabulary, special_tokens: Any) -> None:
        self.name = name
        self.vocabulary = vocabulary
        self.vocab_size = vocabulary.size
        self.special_tokens = special_tokens
        marks = sorted(vocabulary.marks, key=lambda text: (-len(text), text))
        self._marks = re.compile("(" + "|".join(map(re.escape, marks)) + ")" if marks else "(?!)()")
        self._pieces = re.compile(PATTERN)
        self._kept: dict[str, list[int]] = {}

    def encode(
        self,
        text: str,
        *,
        add_special_tokens: bool = False,
        allow_special_tokens: bool | None = None,
    ) -> list[int]:
        """Marks written in the text become their ids, unless told otherwise."""
        text = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
        if allow_special_tokens is False:
            return self._ordinary(text)
        ids: list[int] = []
        for place, part in enumerate(self._marks.split(text)):
            ids += [self.vocabulary.marks[part]] if place % 2 else self._ordinary(part)
        return ids

    def encode_batch(
        self,
        texts: Sequence[str],
        *,
        add_special_tokens: bool = False,
        allow_special_tokens: bool | None = None,
    ) -> list[list[int]]:
        """`encode` of each."""
        return [self.encode(text, allow_special_tokens=allow_special_tokens) for text in texts]

    def _ordinary(self, text: str) -> list[int]:
        ids: list[int] = []
        for piece in self._pieces.findall(text):
            known = self._kept.get(piece)
            if known is None:
                parts = merged(piece.encode(), self.vocabulary.ranks)
                known = [self.vocabulary.ids[part] for part in parts]
                if len(self._kept) >= KEPT_PIECES:
                    self._kept.clear()
                self._kept[piece] = known
            ids += known
        return ids

    def decode(self, ids: Sequence[int], *, skip_special_tokens: bool = False) -> str:
        """The texts of the ids; bytes that are not UTF-8 become U+FFFD, unknown ids nothing."""
        kept = [t for t in ids if not (skip_special_tokens and self.is_special(t))]
        return b"".join(self.token_bytes(token) for token in kept).decode("utf-8", "replace")

    def may_have_written(self, ids: Sequence[int]) -> bool:
        """Whether encoding can have given these ids. Text of a model's own tokenizer has many that
        it never gives; of an answer that was sampled, it may be one."""
        known, marks = self.vocabulary.text_of, self.vocabulary.mark_of
        text = [token for token in ids if 0 <= token < self.vocab_size and token not in marks]
        return sum(token not in known for token in text) * 8 <= len(text)

    def token_bytes(self, token_id: int) -> bytes:
        """The bytes one id stands for; none for rows beyond the tokenizer."""
        return self.vocabulary.token_bytes(token_id) if 0 <= token_id < self.vocab_size else b""

    def token_to_id(self, token: str) -> int | None:
        """The id whose text this is."""
        vocabulary, text = self.vocabulary, token.encode()
        found = vocabulary.marks.get(token, vocabulary.ids.get(text))
        return vocabulary.made_up.get(text) if found is None else found

    def id_to_token(self, token_id: int) -> str | None:
        """The text of an id."""
        return self.decode([token_id]) if 0 <= token_id < self.vocab_size else None

    def is_special(self, token_id: int) -> bool:
        """Turn ends and other marks that are no part of the text."""
        return self.vocabulary.is_control(token_id)

    def apply_chat_template(self, messages: Sequence[Mapping[str, Any]], **more: Any) -> str:
        """Prompts are built from the catalogue's turn marks instead."""
        raise LookupError("a stand-in tokenizer has no chat template")
