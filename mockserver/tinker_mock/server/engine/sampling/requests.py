"""What a sampling request may ask."""

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tinker_mock.server.engine.errors import EngineError
from tinker_mock.server.engine.model.base_model import BaseModel
from tinker_mock.server.engine.sampling.scripted_run import ANYWHERE, Begin

MOST_TOPK = 1024


@dataclass(frozen=True)
class LogitBias:
    """What is added to logits, before the temperature divides them.

    `presence` is taken from each token that was generated, `frequency` as often as it was; `bias`
    is (token, added). The last `generated` tokens of the prompt count, and what is sampled.
    """

    presence: float = 0.0
    frequency: float = 0.0
    bias: tuple[tuple[int, float], ...] = ()
    generated: int = 0


@dataclass(frozen=True)
class SampleRequest:
    """A request to sample from, or score, one prompt.

    `stop` None ends at the model's own end tokens, an empty list at nothing, and anything else
    at the given strings or ids as well as the end tokens. `entropy` seeds requests without `seed`.
    `begin` says which scripted answer is asked for.
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
    logit_bias: LogitBias | None = None
    begin: Begin = ANYWHERE


def alike(request: SampleRequest) -> Hashable:
    """What requests must have in common to be sampled in one call."""
    stop = request.stop
    return (
        request.temperature,
        request.top_k,
        request.top_p,
        tuple(stop) if isinstance(stop, Sequence) and not isinstance(stop, str) else stop,
        request.topk_sample_logprobs,
        request.logit_bias,
    )


def check_request(base: BaseModel, request: SampleRequest) -> None:
    """Refuse what cannot be served, naming the field."""
    size = int(np.asarray(request.prompt).size)
    if size == 0:
        raise EngineError("prompt", "must have at least one token", "Send a prompt")
    _check_params(request)
    _check_length(base, request, size)
    _check_scoring(request, size)


def _check_params(request: SampleRequest) -> None:
    if request.num_samples < 1:
        raise EngineError("num_samples", f"must be at least 1, got {request.num_samples}", "Use 1")
    if not math.isfinite(request.temperature) or request.temperature < 0:
        raise EngineError(
            "sampling_params.temperature",
            f"must be a finite number >= 0, got {request.temperature}",
            "Use 0 for greedy sampling or 1 for the model's own distribution",
        )
    if not 0 < request.top_p <= 1:
        raise EngineError(
            "sampling_params.top_p", f"must be above 0 and at most 1, got {request.top_p}", "Use 1"
        )
    if request.top_k < -1 or request.top_k == 0:
        raise EngineError(
            "sampling_params.top_k",
            f"must be at least 1, or -1 for no limit, got {request.top_k}",
            "Use -1",
        )
    if request.max_tokens is not None and request.max_tokens < 0:
        raise EngineError(
            "sampling_params.max_tokens", f"must be >= 0, got {request.max_tokens}", "Use 1 or more"
        )


def _check_length(base: BaseModel, request: SampleRequest, size: int) -> None:
    wanted = request.max_tokens or 0
    if size >= base.context_length or size + wanted > base.context_length:
        raise EngineError(
            "prompt" if size >= base.context_length else "sampling_params.max_tokens",
            f"prompt of {size} tokens and max_tokens {wanted} exceed the context length "
            f"{base.context_length} of {base.name}",
            "Shorten the prompt or lower max_tokens",
        )


def _check_scoring(request: SampleRequest, size: int) -> None:
    for name in ("topk_prompt_logprobs", "topk_sample_logprobs", "prompt_alt_tokens_k"):
        value = getattr(request, name)
        if not 0 <= value <= MOST_TOPK:
            raise EngineError(name, f"must be between 0 and {MOST_TOPK}, got {value}", "Lower it")
    last = request.prompt_logprobs_last_n
    if last is not None:
        if not request.prompt_logprobs:
            raise EngineError(
                "prompt_logprobs_last_n", "needs prompt_logprobs", "Set prompt_logprobs to true"
            )
        if not 1 <= last <= size - 1:
            raise EngineError(
                "prompt_logprobs_last_n",
                f"must be between 1 and {size - 1} (prompt length - 1), got {last}",
                "Lower it",
            )
    targets = request.target_prompt_logprobs
    if targets is not None and (targets.ndim != 2 or targets.shape[0] != size - 1):
        raise EngineError(
            "target_prompt_logprobs",
            f"must have shape [{size - 1}, K] (prompt length - 1), got {list(targets.shape)}",
            "Give one row per prompt position after the first",
        )


def shown_temperature(request: SampleRequest) -> float:
    """The temperature whose log-probabilities are shown; 1 for greedy ones, which have none."""
    return request.temperature or 1.0


def max_tokens_of(base: BaseModel, request: SampleRequest) -> int:
    """The request's limit, or what the context length leaves."""
    if request.max_tokens is not None:
        return request.max_tokens
    return base.context_length - int(np.asarray(request.prompt).size)
