"""Random numbers as pure functions: every sampled token has one 64-bit seed of its own."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from tinker_mock.server.engine.model.keys import Floats

Seeds = NDArray[np.uint64]

_GAMMA = np.uint64(0x9E3779B97F4A7C15)
_MIX1 = np.uint64(0xBF58476D1CE4E5B9)
_MIX2 = np.uint64(0x94D049BB133111EB)


def mixed(seeds: Seeds, attempt: int) -> Seeds:
    """The seeds of another attempt (SplitMix64, Steele et al. 2014)."""
    z = seeds + np.uint64((attempt + 1) * int(_GAMMA) % 2**64)
    z = (z ^ (z >> np.uint64(30))) * _MIX1
    z = (z ^ (z >> np.uint64(27))) * _MIX2
    return z ^ (z >> np.uint64(31))


def uniform(seeds: Seeds, attempt: int = 0) -> Floats:
    """[N] numbers in [0, 1)."""
    return (mixed(seeds, attempt) >> np.uint64(11)).astype(np.float64) * 2.0**-53
