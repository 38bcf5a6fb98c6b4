"""Names of contexts as 64-bit hashes.

A context is what stands before a token: its last few tokens, or the whole prefix. It is known by a
hash alone, so a context of any length costs one number. Two of n different contexts share a name
with a chance of n² / 2⁶⁵: one in 37 million for a million of them.
"""

import numpy as np
from numpy.typing import NDArray

from tinker_mock.server.engine.model.keys import Ints

Hashes = NDArray[np.uint64]

_NEAR = np.uint64(0x9E3779B97F4A7C15)
_FAR = np.uint64(0xD6E8FEB86659FD93)
_MIX1 = np.uint64(0xBF58476D1CE4E5B9)
_MIX2 = np.uint64(0x94D049BB133111EB)
_HIGH = np.uint64(32)
START = np.full(1, -(2**63), dtype=np.int64)
"""Stands for every place before the first token."""


def scrambled(values: Hashes) -> Hashes:
    """Well mixed bits (the finisher of SplitMix64, Steele et al. 2014), in place."""
    values ^= values >> _HIGH
    values *= _MIX1
    values ^= values >> _HIGH
    values *= _MIX2
    values ^= values >> _HIGH
    return values


def features(tokens: Ints) -> Hashes:
    """The hash of each token."""
    return scrambled(tokens.view(np.uint64) * _NEAR + _MIX2)


def joined(near: Hashes, far: Hashes) -> Hashes:
    """The hash of each pair; the order within a pair counts."""
    return scrambled(near * _NEAR + far * _FAR)


def placed(tokens: Ints, places: Ints) -> Hashes:
    """Hashes of tokens at places; their sum is a hash of the sequence."""
    return scrambled(tokens.view(np.uint64) * _NEAR + places.view(np.uint64) * _FAR + _MIX1)


def entry_keys(contexts: Hashes, tokens: Ints) -> Hashes:
    """The hash of each (context, token) pair."""
    return scrambled(contexts * _FAR + tokens.view(np.uint64) * _NEAR)
