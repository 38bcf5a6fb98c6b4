"""The losses as the service's documentation writes them, and their derivatives.

tinker-docs, "Loss Functions", and its pages on importance sampling, PPO, CISPO and DRO: sums over
tokens, with ratio = exp(log-probability - sampling log-probability).
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Value:
    """A datum's loss, and its derivative by each log-probability."""

    loss: float
    slopes: Floats


def loss_value(
    name: str,
    logprobs: Floats,
    sampled: Floats,
    advantages: Floats,
    config: Mapping[str, float],
) -> Value:
    """One datum's loss; `config` must name every setting that the loss has."""
    gap = logprobs - sampled
    ratio = np.exp(gap)
    low, high = config.get("clip_low_threshold", 0.0), config.get("clip_high_threshold", np.inf)
    if name == "importance_sampling":
        return Value(-float((ratio * advantages).sum()), -ratio * advantages)
    if name == "ppo":
        return clipped(ratio, advantages, low, high)
    if name == "cispo":
        slopes = -np.clip(ratio, low, high) * advantages
        return Value(float((slopes * logprobs).sum()), slopes)
    if name == "dro":
        beta = config["beta"]
        objective = logprobs * advantages - 0.5 * beta * gap**2
        return Value(-float(objective.sum()), beta * gap - advantages)
    if name == "gspo":
        chosen = advantages != 0
        whole = np.full_like(ratio, np.exp(gap[chosen].mean()))
        return clipped(whole, advantages, low, high)
    raise KeyError(name)


def clipped(ratio: Floats, advantages: Floats, low: float, high: float) -> Value:
    """-min(ratio x A, clip(ratio) x A): no derivative where the clipped term is the smaller."""
    plain, bounded = ratio * advantages, np.clip(ratio, low, high) * advantages
    slopes = np.where(plain <= bounded, -plain, 0.0)
    return Value(-float(np.minimum(plain, bounded).sum()), slopes)
