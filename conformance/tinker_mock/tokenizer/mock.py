"""A tokenizer of fourteen whole words, for tests whose ids should be readable."""

import re
from collections.abc import Sequence

from tinker_mock.tokenizer.encodings import Encoding
from tinker_mock.tokenizer.protocols import SpecialTokens
from tinker_mock.tokenizer.rendering import Templated

WORDS = {
    **{word: i for i, word in enumerate(("Hello", "world", "test", "token", " ", "."), 1)},
    **{"system": 7, "user": 8, "assistant": 9},
    **{"<eos>": 999, "<bos>": 1000},
    **{"<|im_start|>": 1001, "<|im_end|>": 1002, "<|eot_id|>": 1003},
}
SKIPPED = frozenset({WORDS["<eos>"], WORDS["<bos>"]})


class MockTokenizer(Templated):
    """Splits at white space and drops unknown words; decoding joins the words with one space."""

    name = "mock"
    byte_level = False

    def __init__(self) -> None:
        self._text_of = {token_id: word for word, token_id in WORDS.items()}
        ids = {word: i for word, i in WORDS.items() if i >= 999}
        self.special_tokens = SpecialTokens(bos="<bos>", eos="<eos>", ids=ids)

    @property
    def vocab_size(self) -> int:
        """Fourteen words: the ids have gaps, so this is a count and not a bound."""
        return len(WORDS)

    def encode(
        self,
        text: str,
        *,
        add_special_tokens: bool = False,
        allow_special_tokens: bool | None = None,
    ) -> list[int]:
        allowed = allow_special_tokens is not False
        words = (word for word in text.split() if allowed or word not in self.special_tokens.ids)
        return [WORDS[word] for word in words if word in WORDS]

    def encode_batch(
        self,
        texts: Sequence[str],
        *,
        add_special_tokens: bool = False,
        allow_special_tokens: bool | None = None,
    ) -> list[list[int]]:
        return [self.encode(text, allow_special_tokens=allow_special_tokens) for text in texts]

    def encoding(
        self,
        text: str,
        *,
        add_special_tokens: bool = False,
        allow_special_tokens: bool | None = None,
    ) -> Encoding:
        allowed = allow_special_tokens is not False
        found = [word for word in re.finditer(r"\S+", text) if word[0] in WORDS
                 and (allowed or word[0] not in self.special_tokens.ids)]  # fmt: skip
        words = tuple(word[0] for word in found)
        spans = tuple((word.start(), word.end()) for word in found)
        return Encoding(tuple(WORDS[word] for word in words), words, spans)

    def decode(self, ids: Sequence[int], *, skip_special_tokens: bool = False) -> str:
        kept = (i for i in ids if not (skip_special_tokens and i in SKIPPED))
        return " ".join(self._text_of[i] for i in kept if i in self._text_of)

    def token_bytes(self, token_id: int) -> bytes | None:
        return None

    def token_to_id(self, token: str) -> int | None:
        return WORDS.get(token)

    def id_to_token(self, token_id: int) -> str | None:
        return self._text_of.get(token_id)

    def is_special(self, token_id: int) -> bool:
        return token_id in SKIPPED
