"""A file that is served without being held: what it begins with, then zeros."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import repeat

PIECE = bytes(1 << 20)
"""All zeros that are sent are these."""


@dataclass(frozen=True)
class StoredFile:
    """A file of `head` and `zeros` zero bytes."""

    name: str
    head: bytes
    zeros: int = 0

    @property
    def size(self) -> int:
        """Bytes in all."""
        return len(self.head) + self.zeros

    def pieces(self) -> Iterator[bytes]:
        """The content, up to a mebibyte at a time."""
        if self.head:
            yield self.head
        whole, rest = divmod(self.zeros, len(PIECE))
        yield from repeat(PIECE, whole)
        if rest:
            yield PIECE[:rest]
