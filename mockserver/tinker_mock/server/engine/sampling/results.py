"""What sampling gives."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

EMPTY_LOGPROB = -99999.0


@dataclass(frozen=True)
class TopK:
    """Row-major [n, k]; an empty cell is token 0 with logprob -99999."""

    token_ids: NDArray[np.int32]
    logprobs: NDArray[np.float32]


@dataclass(frozen=True)
class SampledSequence:
    """`tokens` includes the stop token; `stop_reason` is "stop" or "length"."""

    tokens: NDArray[np.int64]
    logprobs: NDArray[np.float32]
    stop_reason: str
    topk: TopK | None = None


@dataclass(frozen=True)
class SampleResult:
    """NaN marks a prompt position that has no logprob.

    `cached_tokens` is how much of the prompt was billed as read before; the engine does not know.
    """

    sequences: list[SampledSequence] = field(default_factory=list)
    prompt_logprobs: NDArray[np.float32] | None = None
    topk_prompt_logprobs: TopK | None = None
    target_prompt_logprobs: NDArray[np.float32] | None = None
    prompt_alt_tokens: NDArray[np.int64] | None = None
    prompt_alt_logprobs: NDArray[np.float32] | None = None
    cached_tokens: int = 0
