"""Byte-pair encoding written out in Python, for rank tables of any size.

Used where tiktoken cannot be (tables that do not cover all bytes), to show the pieces a pattern
cuts a text into, and in tests as an independent second opinion. Semantics (tiktoken): a piece
that is a token is that token; otherwise, from single bytes on, the adjacent pair of lowest rank
is merged, leftmost first, until no pair has a rank.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import pairwise

import regex

from tinker_mock.tokenizer.errors import TokenizerError
from tinker_mock.tokenizer.protocols import well_formed


def merge_piece(piece: bytes, ranks: Mapping[bytes, int]) -> list[int]:
    """The ids of one pre-tokenized piece. Raises `missing_rank` for a byte without a rank."""
    if piece in ranks:
        return [ranks[piece]]
    parts = [piece[i : i + 1] for i in range(len(piece))]
    while len(parts) > 1:
        pairs = ((ranks.get(parts[i] + parts[i + 1]), i) for i in range(len(parts) - 1))
        ranked = [(rank, i) for rank, i in pairs if rank is not None]
        if not ranked:
            break
        _, at = min(ranked)
        parts[at : at + 2] = [parts[at] + parts[at + 1]]
    for part in parts:
        if part not in ranks:
            raise TokenizerError(
                "missing_rank", f"No token covers the bytes {part!r}.", detail=part
            )
    return [ranks[part] for part in parts]


class BytePairEncoder:
    """Ranks, a pattern and special tokens (text to id); specials match longest first."""

    def __init__(
        self, ranks: Mapping[bytes, int], pattern: str, special: Mapping[str, int] | None = None
    ) -> None:
        self.ranks = ranks
        self.special = dict(special or {})
        self._pattern = regex.compile(pattern, flags=regex.V1)
        longest_first = sorted(self.special, key=lambda text: (-len(text.encode()), text))
        self._specials = regex.compile("|".join(map(regex.escape, longest_first)) or r"(?!)")
        self._bytes_of = {rank: token for token, rank in ranks.items()}
        self._bytes_of |= {token_id: text.encode() for text, token_id in self.special.items()}

    def pieces(self, text: str) -> list[str]:
        """The text cut by the pattern; what the pattern does not match is dropped."""
        return [match.group() for match in self._pattern.finditer(text)]

    def encode_ordinary(self, text: str) -> list[int]:
        pieces = self.pieces(well_formed(text))
        return [token for piece in pieces for token in merge_piece(piece.encode(), self.ranks)]

    def encode(self, text: str) -> list[int]:
        """As `encode_ordinary`, but specials written in the text become their ids."""
        ids: list[int] = []
        for ordinary, special in self.split_specials(well_formed(text)):
            ids += self.encode_ordinary(ordinary)
            if special:
                ids.append(self.special[special])
        return ids

    def split_specials(self, text: str) -> Iterator[tuple[str, str]]:
        """(ordinary text, the special after it or ""), in order."""
        end = 0
        for match in self._specials.finditer(text):
            yield text[end : match.start()], match.group()
            end = match.end()
        yield text[end:], ""

    def token_bytes(self, token_id: object) -> bytes:
        """Raises `invalid_token_id` for what is no integer, `unknown_token_id` for no token."""
        if not isinstance(token_id, int) or token_id not in self._bytes_of:
            raise unknown_id(token_id, max(self._bytes_of) + 1)
        return self._bytes_of[token_id]

    def decode_bytes(self, ids: Sequence[object]) -> bytes:
        return b"".join(map(self.token_bytes, ids))


def unknown_id(token_id: object, vocab_size: int) -> TokenizerError:
    """The error for what cannot be decoded."""
    if not isinstance(token_id, int) or isinstance(token_id, bool):
        message = f"A token id must be an integer: {token_id!r}."
        return TokenizerError("invalid_token_id", message, detail=token_id)
    return TokenizerError(
        "unknown_token_id",
        f"No token has the id {token_id}.",
        fix=f"Ids go from 0 to {vocab_size - 1}.",
        detail=token_id,
    )


def has_prefix_pairs(specials: Iterable[str]) -> bool:
    """Whether one special is the beginning of another: then the order of matching matters."""
    ordered = sorted(specials)
    return any(b.startswith(a) for a, b in pairwise(ordered))
