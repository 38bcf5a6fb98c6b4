"""Random numbers as pure functions of a seed and a counter.

A generator with a state would make a token depend on how many numbers were drawn before it: for
other sequences of the batch, or for tokens that were rejected. Here every sampled token has one
64-bit seed of its own, and its n-th number is a hash of seed and n.
"""

import hashlib

import numpy as np
from numpy.typing import NDArray

from tinker_mock.server.engine.model.keys import Floats, Ints
from tinker_mock.server.engine.sampling.requests import SampleRequest

Seeds = NDArray[np.uint64]

_GAMMA = np.uint64(0x9E3779B97F4A7C15)
_MIX1 = np.uint64(0xBF58476D1CE4E5B9)
_MIX2 = np.uint64(0x94D049BB133111EB)


def mixed(seeds: Seeds, attempt: int | Ints) -> Seeds:
    """The seeds of another attempt, or of one attempt each (SplitMix64, Steele et al. 2014)."""
    if isinstance(attempt, int):
        # The product is taken in Python and wrapped by hand: numpy warns when a scalar overflows.
        z = seeds + np.uint64((attempt + 1) * int(_GAMMA) % 2**64)
    else:
        z = seeds + (attempt + 1).astype(np.uint64) * _GAMMA
    z = (z ^ (z >> np.uint64(30))) * _MIX1
    z = (z ^ (z >> np.uint64(27))) * _MIX2
    return z ^ (z >> np.uint64(31))


def numbered(seeds: Seeds) -> Seeds:
    """[N] the n-th seed's n-th number."""
    return mixed(seeds + np.arange(seeds.size, dtype=np.uint64) * _GAMMA, 0)


def uniform(seeds: Seeds, attempt: int | Ints = 0) -> Floats:
    """[N] numbers in [0, 1)."""
    # 53 bits fill a float64's mantissa: all 64 would round up to 1.0 now and then.
    return (mixed(seeds, attempt) >> np.uint64(11)).astype(np.float64) * 2.0**-53


def seed_of(request: SampleRequest, prompt: Ints, index: int) -> int:
    """The 64-bit seed of one sample: a function of seed, prompt and sample index only.

    Its token number n has `mixed(seed, n)`.
    """
    origin = f"seed {request.seed}" if request.seed is not None else f"entropy {request.entropy}"
    digest = hashlib.sha256(f"{origin} sample {index} ".encode())
    digest.update(prompt.tobytes())
    return int.from_bytes(digest.digest()[:8], "little")
