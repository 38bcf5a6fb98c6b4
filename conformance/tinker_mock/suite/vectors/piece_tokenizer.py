"""The test double of the vectors: single bytes, fifteen pieces, and special ids from 900 on."""

from collections.abc import Sequence
from typing import Any

from tinker_mock.tokenizer.protocols import SpecialTokens
from tinker_mock.tokenizer.rendering import Templated

PIECES = (
    *("Hello", " world", "\n", "Human", ":", " test", "\nHuman:"),
    *("ab", "abc", "bcd", "<|", "im_end", "|>", "世界", "😀"),
)
FIRST_SPECIAL = 900
DEFINITION: dict[str, Any] = {
    "rule": "id 0..255 = that single byte; 256+i = PIECES[i]; ids >= 900 are special and decode "
    'to "<|s{id}|>" (dropped when skip_special_tokens); decode = UTF-8 lossy decode of the '
    "concatenated bytes",
    "pieces": list(PIECES),
}


class PieceTokenizer(Templated):
    """Encoding is by single bytes; only decoding is of interest."""

    name = "piece"
    byte_level = True
    vocab_size = FIRST_SPECIAL
    special_tokens = SpecialTokens()

    def encode(
        self,
        text: str,
        *,
        add_special_tokens: bool = False,
        allow_special_tokens: bool | None = None,
    ) -> list[int]:
        return list(text.encode())

    def encode_batch(
        self,
        texts: Sequence[str],
        *,
        add_special_tokens: bool = False,
        allow_special_tokens: bool | None = None,
    ) -> list[list[int]]:
        return list(map(self.encode, texts))

    def decode(self, ids: Sequence[int], *, skip_special_tokens: bool = False) -> str:
        kept = (i for i in ids if not (skip_special_tokens and self.is_special(i)))
        return b"".join(map(self.token_bytes, kept)).decode("utf-8", "replace")

    def token_bytes(self, token_id: int) -> bytes:
        if token_id < 256:
            return bytes([token_id])
        if self.is_special(token_id):
            return f"<|s{token_id}|>".encode()
        return PIECES[token_id - 256].encode()

    def token_to_id(self, token: str) -> int | None:
        return 256 + PIECES.index(token) if token in PIECES else None

    def id_to_token(self, token_id: int) -> str | None:
        return self.decode([token_id])

    def is_special(self, token_id: int) -> bool:
        return token_id >= FIRST_SPECIAL
