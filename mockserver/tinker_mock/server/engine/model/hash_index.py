"""From 64-bit keys to row numbers: an open-addressing hash table in numpy."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tinker_mock.server.engine.model.columns import Column
from tinker_mock.server.engine.model.hashing import Hashes
from tinker_mock.server.engine.model.keys import Ints

SLOTS_A_KEY = 4
"""At least: few keys share a run of slots then, so that most look-ups end at the first."""
SMALLEST = 64
FEW = 2**15 * SLOTS_A_KEY
"""So many slots are never of more keys than 16 bits can number."""

Slots = NDArray[np.int16] | NDArray[np.int32]


class HashIndex:
    """Distinct keys numbered 0, 1, 2, … in the order they came.

    A branch shares the slots until it adds keys of its own; what the other adds has higher numbers.
    Keys may be added while other threads look for those that were there before.
    """

    def __init__(self) -> None:
        self._keys: Column[np.uint64] = Column(np.zeros(0, dtype=np.uint64))
        self._slots = _empty(SMALLEST)
        self._shared = False

    @property
    def size(self) -> int:
        return self._keys.size

    @property
    def keys(self) -> Hashes:
        """[size] the key of each number."""
        return self._keys.values

    def find(self, wanted: Hashes) -> Ints:
        """The number of each key, -1 where it is not here."""
        slots = self._slots  # before the keys: none of these slots is of a key that is not there
        keys = self.keys
        if keys.size == 0 or wanted.size == 0:
            return np.full(wanted.shape, -1, dtype=np.int64)
        at = (wanted & np.uint64(slots.size - 1)).view(np.int64)
        there = slots.take(at).astype(np.int64)
        # Clipped: an empty slot (-1) is compared with some key, and says -1 whether equal or not.
        same = keys.take(there, mode="clip") == wanted
        found: Ints = np.where(same, there, -1)
        other = np.flatnonzero(same < (there >= 0))
        while other.size:
            at[other] = (at[other] + 1) & (slots.size - 1)
            there = slots.take(at[other]).astype(np.int64)
            same = keys.take(there, mode="clip") == wanted[other]
            found[other] = np.where(same, there, -1)
            other = other[same < (there >= 0)]
        return found

    def add(self, keys: Hashes) -> Ints:
        """Number keys that are distinct and new."""
        ids = np.arange(self.size, self.size + keys.size)
        if ids.size == 0:
            return ids
        self._keys.extend(keys)
        if self.size * SLOTS_A_KEY > self._slots.size:
            wanted = 1 << (self.size * (SLOTS_A_KEY + 1) - 1).bit_length()
            slots = _empty(wanted)
            self._place(slots, self.keys, np.arange(self.size))
            self._slots, self._shared = slots, False
            return ids
        if self._shared:
            slots = self._slots.copy()
            slots[slots >= ids[0]] = -1  # the other's
            self._slots, self._shared = slots, False
        self._place(self._slots, keys, ids)
        return ids

    @staticmethod
    def _place(slots: Slots, keys: Hashes, ids: Ints) -> None:
        at = (keys & np.uint64(slots.size - 1)).view(np.int64)
        while ids.size:
            free = slots[at] < 0
            slots[at[free]] = ids[free]
            left = slots[at] != ids
            at, ids = (at[left] + 1) & (slots.size - 1), ids[left]

    def branch(self) -> HashIndex:
        """A copy that may go its own way."""
        copy = HashIndex()
        copy._keys, copy._slots, copy._shared = self._keys.frozen(), self._slots, True
        return copy


def _empty(size: int) -> Slots:
    if size <= FEW:
        return np.full(size, -1, dtype=np.int16)
    return np.full(size, -1, dtype=np.int32)
