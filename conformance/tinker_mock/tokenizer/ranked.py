"""Tokenizers made of a rank table, a splitting pattern and special tokens."""

import re
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from os import cpu_count
from typing import Protocol

import tiktoken

from tinker_mock.tokenizer.bpe import BytePairEncoder, has_prefix_pairs, unknown_id
from tinker_mock.tokenizer.encodings import Encoding, offsets_of
from tinker_mock.tokenizer.protocols import SpecialTokens, well_formed
from tinker_mock.tokenizer.ranks import covers_all_bytes
from tinker_mock.tokenizer.rendering import Templated
from tinker_mock.tokenizer.templates import ChatTemplate

Encode = Callable[[str], list[int]]
# Fewer texts than this are not worth a thread of their own.
BATCH_PART = 32
LONG_RUN = 100_000
LONG_WHITE = re.compile(rf"\s{{{LONG_RUN}}}")


class _Core(Protocol):
    """The encoding itself: tiktoken, or our own for tables that do not cover all bytes."""

    def encode_ordinary(self, text: str) -> list[int]: ...
    def encode(self, text: str) -> list[int]: ...
    def decode_bytes(self, ids: Sequence[int]) -> bytes: ...


class _TiktokenCore:
    """tiktoken, with specials matched longest first where their order matters.

    tiktoken's pattern engine gives up within long runs of white space (at about 600,000 of them).
    Such a text is cut into the pattern's pieces here, with the same outcome.
    """

    def __init__(
        self, encoding: tiktoken.Encoding, pattern: str, special: Mapping[str, int]
    ) -> None:
        self._encoding = encoding
        self._allowed = set(special)
        self._ids_of_specials = dict(special)
        self.decode_bytes = encoding.decode_bytes
        self._cutter = BytePairEncoder({}, pattern, special)
        self._overlapping = has_prefix_pairs(special)

    def encode_ordinary(self, text: str) -> list[int]:
        if len(text) < LONG_RUN or LONG_WHITE.search(text) is None:
            return self._encoding.encode_ordinary(text)
        encode_piece = self._encoding._encode_single_piece
        pieces = self._cutter.pieces(well_formed(text))
        return [token for piece in pieces for token in encode_piece(piece)]

    def encode(self, text: str) -> list[int]:
        long = len(text) >= LONG_RUN and LONG_WHITE.search(text) is not None
        if not (long or self._overlapping):
            return self._encoding.encode(text, allowed_special=self._allowed, disallowed_special=())
        ids: list[int] = []
        for ordinary, special in self._cutter.split_specials(text):
            ids += self.encode_ordinary(ordinary)
            if special:
                ids.append(self._ids_of_specials[special])
        return ids


class RankedTokenizer(Templated):
    """A tokenizer of ranks (tiktoken's kind).

    `default_allow_special`: whether `encode` turns specials written in a text into their ids
    unless told otherwise. `chunk`: cuts a long text into parts that are encoded apart.
    """

    byte_level = True

    def __init__(
        self,
        name: str,
        ranks: dict[bytes, int],
        pattern: str,
        special: Mapping[str, int],
        *,
        special_tokens: SpecialTokens | None = None,
        default_allow_special: bool = True,
        chat_template: ChatTemplate | None = None,
        chunk: Callable[[str], list[str]] | None = None,
    ) -> None:
        self.name = name
        self.pattern = pattern
        self.chat_template = chat_template
        self.special_tokens = special_tokens or SpecialTokens(ids=dict(special))
        self.default_allow_special = default_allow_special
        self._ranks = ranks
        self._specials = dict(special)
        self._special_ids = frozenset(special.values())
        self._chunk = chunk
        self._core = _core(name, ranks, pattern, special)
        self._bytes_of: dict[int, bytes] = {rank: token for token, rank in ranks.items()}
        self._bytes_of |= {i: text.encode() for text, i in special.items()}
        self.vocab_size = max(self._bytes_of) + 1

    def encode(
        self,
        text: str,
        *,
        add_special_tokens: bool = False,
        allow_special_tokens: bool | None = None,
    ) -> list[int]:
        encode = self._encode_with(allow_special_tokens)
        if self._chunk is None:
            return encode(text)
        return [token for part in self._chunk(text) for token in encode(part)]

    def _encode_with(self, allow_special_tokens: bool | None) -> Encode:
        if allow_special_tokens is None:
            allow_special_tokens = self.default_allow_special
        return self._core.encode if allow_special_tokens else self._core.encode_ordinary

    def encode_batch(
        self,
        texts: Sequence[str],
        *,
        add_special_tokens: bool = False,
        allow_special_tokens: bool | None = None,
    ) -> list[list[int]]:
        def encode_some(some: Sequence[str]) -> list[list[int]]:
            return [self.encode(t, allow_special_tokens=allow_special_tokens) for t in some]

        threads = cpu_count() or 1
        size = max(BATCH_PART, -(-len(texts) // (4 * threads)))
        parts = [texts[at : at + size] for at in range(0, len(texts), size)]
        if len(parts) < 2 or isinstance(self._core, BytePairEncoder):
            return encode_some(texts)
        # tiktoken releases the interpreter lock while it encodes.
        with ThreadPoolExecutor(min(threads, len(parts))) as pool:
            return [ids for part in pool.map(encode_some, parts) for ids in part]

    def encoding(
        self,
        text: str,
        *,
        add_special_tokens: bool = False,
        allow_special_tokens: bool | None = None,
    ) -> Encoding:
        text = well_formed(text)
        ids = self.encode(text, allow_special_tokens=allow_special_tokens)
        pieces = [self._bytes_of[i] for i in ids]
        tokens = tuple(piece.decode("utf-8", "replace") for piece in pieces)
        return Encoding(tuple(ids), tokens, offsets_of(text, pieces))

    def decode(self, ids: Sequence[int], *, skip_special_tokens: bool = False) -> str:
        """Raises TokenizerError `invalid_token_id` or `unknown_token_id`."""
        if skip_special_tokens:
            ids = [i for i in ids if i not in self._special_ids]
        bytes_of = self._bytes_of
        try:
            return b"".join([bytes_of[i] for i in ids]).decode("utf-8", "replace")
        except (KeyError, TypeError):
            for token_id in ids:
                self.token_bytes(token_id)
            raise

    def token_bytes(self, token_id: int) -> bytes:
        try:
            return self._bytes_of[token_id]
        except (KeyError, TypeError) as error:
            raise unknown_id(token_id, self.vocab_size) from error

    def token_to_id(self, token: str) -> int | None:
        return self._specials.get(token, self._ranks.get(token.encode("utf-8", "replace")))

    def id_to_token(self, token_id: int) -> str | None:
        token = self._bytes_of.get(token_id)
        return None if token is None else token.decode("utf-8", "replace")

    def is_special(self, token_id: int) -> bool:
        return token_id in self._special_ids

    def pieces(self, text: str) -> list[str]:
        """How the pattern cuts a text, before any merge (specials are not looked for)."""
        return BytePairEncoder({}, self.pattern).pieces(text)


def _core(name: str, ranks: dict[bytes, int], pattern: str, special: Mapping[str, int]) -> _Core:
    if not covers_all_bytes(ranks):
        return BytePairEncoder(ranks, pattern, special)
    encoding = tiktoken.Encoding(
        name=name, pat_str=pattern, mergeable_ranks=ranks, special_tokens=dict(special)
    )
    return _TiktokenCore(encoding, pattern, special)
