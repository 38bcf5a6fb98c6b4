"""What training and sampling take and give."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Datum:
    """One training example.

    `tokens` int64 [N]; positions of images or audio carry any negative id. `inputs` holds the
    loss's dense arrays by name (`target_tokens` [N] or [N, K], `weights`, `advantages`, ...).
    """

    tokens: NDArray[np.int64]
    inputs: Mapping[str, NDArray[Any]]


@dataclass(frozen=True)
class LossResult:
    """`outputs[i]["logprobs"]`: float32 in the shape of datum i's targets.

    Metrics are named `name:reduction`; `loss:sum` is always there.
    """

    outputs: list[dict[str, NDArray[np.float32]]]
    metrics: dict[str, float]
    output_type: str


@dataclass(frozen=True)
class Offsets:
    """What is added to logits, before the temperature divides them.

    `presence` is taken from each token that was said, `frequency` as often as it was; `bias` is
    (token, added). The last `said` tokens of the prompt count as said, and what is sampled.
    """

    presence: float = 0.0
    frequency: float = 0.0
    bias: tuple[tuple[int, float], ...] = ()
    said: int = 0


@dataclass(frozen=True)
class SampleRequest:
    """A request to sample from, or score, one prompt.

    `stop` None ends at the model's own end tokens, an empty list at nothing, and anything else
    at the given strings or ids as well as the end tokens. `entropy` seeds requests without `seed`.
    `target_prompt_logprobs` int64 [len(prompt) - 1, K], -1 asks nothing.
    """

    prompt: NDArray[np.int64]
    num_samples: int = 1
    max_tokens: int | None = None
    temperature: float = 1.0
    top_k: int = -1
    top_p: float = 1.0
    seed: int | None = None
    entropy: str = ""
    stop: str | Sequence[str] | Sequence[int] | None = None
    prompt_logprobs: bool = False
    prompt_logprobs_last_n: int | None = None
    topk_prompt_logprobs: int = 0
    topk_sample_logprobs: int = 0
    target_prompt_logprobs: NDArray[np.int64] | None = None
    prompt_alt_tokens_k: int = 0
    offsets: Offsets | None = None


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
    """NaN marks a prompt position that has no logprob."""

    sequences: list[SampledSequence] = field(default_factory=list)
    prompt_logprobs: NDArray[np.float32] | None = None
    topk_prompt_logprobs: TopK | None = None
    target_prompt_logprobs: NDArray[np.float32] | None = None
    prompt_alt_tokens: NDArray[np.int64] | None = None
    prompt_alt_logprobs: NDArray[np.float32] | None = None
