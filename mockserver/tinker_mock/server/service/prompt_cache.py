"""Which beginning of a prompt the server has read before.

As in servers that cache prefixes by blocks: a block's digest covers everything before it, so equal
digests mean equal beginnings. One cache a tenant and model; the oldest blocks make room.
"""

import hashlib
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from tinker_mock.server.quirks import Quirk
from tinker_mock.server.service.backend import Backend
from tinker_mock.server.service.usage import bill
from tinker_mock.server.state.records import SamplingSession

BLOCK = 16
MOST_BLOCKS = 16_384


def bill_prompt(backend: Backend, sampler: SamplingSession, prompt: NDArray[np.int64]) -> int:
    """Bill a prompt that was sampled from; how many of its tokens were billed as read before."""
    read = 0
    if Quirk.PROMPT_CACHE in backend.quirks:
        weights = sampler.model_path or (sampler.id if sampler.weights else "")
        model = f"{sampler.base_model} {weights}"
        read = cached_tokens(backend, sampler.tenant_id, model, prompt.tolist())
    session, base = sampler.session_id, sampler.base_model
    bill(backend, session, base, "sampling_prefill", prompt.size - read)
    if read:
        bill(backend, session, base, "sampling_prefill", read, cached=True)
    return read


def cached_tokens(backend: Backend, tenant_id: str, model: str, prompt: list[int]) -> int:
    """How many tokens at the beginning of a prompt were read before, whole blocks only.

    From now on all of it counts as read. The last token is never cached: the answer begins there.
    """
    known = backend.state.prompt_blocks
    read, unbroken = 0, True
    for digest in _digests(f"{tenant_id} {model}", prompt[:-1]):
        unbroken = unbroken and digest in known
        read += BLOCK * unbroken
        known.pop(digest, None)
        known[digest] = None
    while len(known) > MOST_BLOCKS:
        del known[next(iter(known))]
    return read


def _digests(owner: str, tokens: list[int]) -> Iterator[str]:
    """The digest of every whole block."""
    running = hashlib.blake2b(owner.encode(), digest_size=16)
    ids = np.asarray(tokens, dtype=np.int64)
    for end in range(BLOCK, ids.size + 1, BLOCK):
        running.update(ids[end - BLOCK : end].tobytes())
        yield running.hexdigest()
