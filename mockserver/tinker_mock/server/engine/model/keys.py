"""Token contexts packed into sortable 64-bit integers.

A context of order 2 is the pair (previous token, token before it). The previous token is the
most significant digit, so that entries which share a shorter context lie next to each other.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinker_mock.server.engine.errors import EngineError

Ints = NDArray[np.int64]
Narrow = NDArray[np.signedinteger[Any]]
"""Whole numbers of any width: kept in as few bytes as they need."""
Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

STATE_BITS = 6
MAX_BITS = (63 - STATE_BITS) // 3


@dataclass(frozen=True)
class KeySpace:
    """Digits wide enough for a vocabulary and its two pseudo tokens (start, image)."""

    vocabulary_size: int

    @property
    def start(self) -> int:
        """Stands for "before the first token"."""
        return self.vocabulary_size

    @property
    def placeholder(self) -> int:
        """Stands for every position that is not text (images, audio)."""
        return self.vocabulary_size + 1

    @property
    def bits(self) -> int:
        return (self.vocabulary_size + 1).bit_length()

    def check(self) -> None:
        if self.vocabulary_size < 2 or self.bits > MAX_BITS:
            raise EngineError(
                "vocabulary_size",
                f"must be between 2 and {2**MAX_BITS - 2}, got {self.vocabulary_size}",
                "Choose a model with a smaller vocabulary",
            )

    def pair(self, last: Ints, token: Ints) -> Ints:
        return (last << self.bits) | token

    def triple(self, last: Ints, before: Ints, token: Ints) -> Ints:
        return (((last << self.bits) | before) << self.bits) | token

    def token_of(self, keys: Ints) -> Ints:
        return keys & ((1 << self.bits) - 1)

    def context_of(self, keys: Ints) -> Ints:
        """Drop the token digit: a triple's (last, before), a pair's last, a token's 0."""
        return keys >> self.bits

    def shorten(self, keys: Ints, order: int) -> Ints:
        """The key of the same token in the next shorter context."""
        if order == 2:
            return ((keys >> (2 * self.bits)) << self.bits) | self.token_of(keys)
        return self.token_of(keys)


def find(keys: Narrow, wanted: Narrow) -> Ints:
    """Positions of `wanted` in the sorted `keys`, -1 where absent."""
    if keys.size == 0:
        return np.full(wanted.shape, -1, dtype=np.int64)
    at = np.searchsorted(keys, wanted)
    at[at == keys.size] = 0  # beyond the last: any place will do, the comparison refuses it
    return np.where(keys[at] == wanted, at, -1)


def distinct(*parts: Narrow) -> Ints:
    """All values of the arrays, sorted, each once; faster here than numpy's hashing `unique`."""
    values = np.sort(np.concatenate(parts))
    return values[segment_starts(values)]


def segment_starts(sorted_keys: Ints) -> Ints:
    """Where each run of equal keys begins."""
    if sorted_keys.size == 0:
        return np.zeros(0, dtype=np.int64)
    changed = np.empty(sorted_keys.size, dtype=bool)
    changed[0] = True
    np.not_equal(sorted_keys[1:], sorted_keys[:-1], out=changed[1:])
    return np.flatnonzero(changed)
