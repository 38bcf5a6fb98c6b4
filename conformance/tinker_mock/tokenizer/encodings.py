"""A text's tokens with their places in it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Encoding:
    """Ids, the tokens' spellings in the vocabulary, and the [start, end) characters of the text
    that each token covers. Tokens that share a character all cover it; tokens that stand for
    nothing in the text (an added BOS) cover (0, 0)."""

    ids: tuple[int, ...]
    tokens: tuple[str, ...]
    offsets: tuple[tuple[int, int], ...]

    def token_ids(self) -> list[int]:
        """The ids alone."""
        return list(self.ids)

    def __len__(self) -> int:
        return len(self.ids)

    def covering(self, start: int, end: int) -> Iterator[int]:
        """The positions of the tokens that have a part in [start, end)."""
        for at, (first, last) in enumerate(self.offsets):
            if first < end and last > start and first < last:
                yield at


def offsets_of(text: str, pieces: Sequence[bytes]) -> tuple[tuple[int, int], ...]:
    """Where each of the byte strings that make up `text` stands, in characters."""
    owner: list[int] = []
    for at, character in enumerate(text):
        owner.extend([at] * len(character.encode("utf-8")))
    offsets, at = [], 0
    for piece in pieces:
        end = min(at + len(piece), len(owner))
        offsets.append((owner[at], owner[end - 1] + 1) if at < end else (0, 0))
        at = end
    return tuple(offsets)
