"""Which beginning of a prompt the server has read before.

As in servers that cache prefixes by blocks: a block's digest covers everything before it, so equal
digests mean equal beginnings. Each owner has a cache of its own: a sampling session, or a tenant's
model on the text endpoints. The oldest blocks make room.
"""

import hashlib
from collections.abc import Iterator, Sequence
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from tinker_mock.server.quirks import Quirk
from tinker_mock.server.service.backend import Backend
from tinker_mock.server.service.usage import bill
from tinker_mock.server.state.records import SamplingSession

BLOCK = 16
MOST_BLOCKS, ROOM = 16_384, 512
"""Blocks that are remembered, and so many more until the oldest go."""


class ReadPrompt:
    """A prompt that a sampling session reads, as request number `number` of the session.

    What counts as read before is what requests with smaller numbers began with, whatever the order
    in which they arrive and end: the same requests have the same hits.
    """

    def __init__(
        self, backend: Backend, sampler: SamplingSession, number: int, prompt: NDArray[np.int64]
    ) -> None:
        self.backend = backend
        self.sampler = sampler
        self.number = number
        self.size = prompt.size
        self.digests = list(_digests(sampler.id, prompt[:-1]))
        known = backend.state.prompt_blocks
        for digest in self.digests:
            known[digest] = min(known.pop(digest, number), number)
        _make_room(backend)

    def billed(self) -> int:
        """Bill it, now that it was sampled from; how many of its tokens were read before."""
        backend, known = self.backend, self.backend.state.prompt_blocks
        read = 0
        if Quirk.UNCACHED_PROMPTS not in backend.quirks:
            for digest in self.digests:
                if known.get(digest, self.number) >= self.number:
                    break
                read += BLOCK
        whose = backend, self.sampler.session_id, self.sampler.base_model
        bill(*whose, "sampling_prefill", self.size - read)
        if read:
            bill(*whose, "sampling_prefill", read, cached=True)
        return read


def cached_tokens(backend: Backend, owner: str, prompt: Sequence[int]) -> int:
    """How many tokens at the beginning of a prompt were read before, whole blocks only.

    From now on all of it counts as read. The last token is never cached: the answer begins there.
    """
    known = backend.state.prompt_blocks
    read, unbroken = 0, True
    for digest in _digests(owner, prompt[:-1]):
        unbroken = unbroken and digest in known
        read += BLOCK * unbroken
        known[digest] = known.pop(digest, 0)
    _make_room(backend)
    return read


def _make_room(backend: Backend) -> None:
    known = backend.state.prompt_blocks
    surplus = len(known) - MOST_BLOCKS
    if surplus > ROOM:  # to find the first of a dict takes as long as many were deleted before it
        for digest in list(islice(known, surplus)):
            del known[digest]


def _digests(owner: str, tokens: Sequence[int] | NDArray[np.int64]) -> Iterator[bytes]:
    """The digest of every whole block."""
    running = hashlib.blake2b(owner.encode(), digest_size=16)
    ids = np.asarray(tokens, dtype=np.int64)
    for end in range(BLOCK, ids.size + 1, BLOCK):
        running.update(ids[end - BLOCK : end].tobytes())
        yield running.digest()
