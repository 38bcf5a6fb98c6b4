"""Entropy and divergences of rows of log-probabilities (last axis: the vocabulary)."""

import math
from typing import Any

from tinker_mock.client.errors import invalid
from tinker_mock.client.losses.arrays import array_namespace, as_array, plain
from tinker_mock.client.losses.regularizers.penalties import Reduction, reduce

_SMALLEST_LOGPROB = -50.0
_SMALLEST_PROBABILITY = 1e-10
_LARGEST_RATIO = 100.0


def entropy_of_logprobs(
    logprobs: Any,
    *,
    temperature: float = 1.0,
    normalize: bool = False,
    reduction: Reduction = "mean",
) -> Any:
    """-Σ p ln p per row, at a temperature; normalised by ln V it lies between 0 and 1.

    Entries below -50 count as impossible.
    """
    logprobs = as_array(logprobs)
    xp = array_namespace(logprobs)
    if temperature != 1.0:
        logprobs = log_softmax(logprobs / temperature)
    possible = plain(logprobs) > _SMALLEST_LOGPROB
    safe = xp.where(possible, logprobs, xp.zeros_like(logprobs))
    rows = -xp.sum(xp.where(possible, xp.exp(safe) * safe, xp.zeros_like(safe)), axis=-1)
    if normalize:
        rows = rows / math.log(logprobs.shape[-1])
    return reduce(rows, reduction)


def log_softmax(x: Any) -> Any:
    """Rows of scores to rows of log-probabilities."""
    xp = array_namespace(x)
    highest = _row_maximum(xp, plain(x))
    shifted = x - highest
    return shifted - xp.log(_row_sum(xp, xp.exp(shifted)))


def kl(p_logprobs: Any, q_logprobs: Any) -> Any:
    """Σ p (ln p - ln q) per row; impossible entries of p are left out, ratios cut to ±100."""
    p, q = as_array(p_logprobs), as_array(q_logprobs)
    if tuple(p.shape) != tuple(q.shape):
        raise invalid(f"shapes differ: {tuple(p.shape)} and {tuple(q.shape)}")
    xp = array_namespace(p, q)
    probabilities = xp.exp(p)
    ratio = xp.clip(p - q, -_LARGEST_RATIO, _LARGEST_RATIO)
    possible = plain(probabilities) > _SMALLEST_PROBABILITY
    zeros = xp.zeros_like(probabilities)
    return xp.sum(xp.where(possible, probabilities * ratio, zeros), axis=-1)


def _row_maximum(xp: Any, x: Any) -> Any:
    if xp.__name__ == "torch":
        return xp.amax(x, dim=-1, keepdim=True)
    return xp.max(x, axis=-1, keepdims=True)


def _row_sum(xp: Any, x: Any) -> Any:
    if xp.__name__ == "torch":
        return xp.sum(x, dim=-1, keepdim=True)
    return xp.sum(x, axis=-1, keepdims=True)
