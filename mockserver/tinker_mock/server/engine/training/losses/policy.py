"""Token-level policy losses, as the service's documentation defines them.

Source of formulas, tensor names and default thresholds: tinker-docs, "Loss Functions" and its
pages on importance_sampling, PPO, CISPO and DRO. Sums over tokens, never means. With
ratio = exp(logp - sampling logp):

    importance_sampling   -ratio * A
    ppo                   -min(ratio * A, clip(ratio) * A)
    cispo                 -stop_gradient(clip(ratio)) * logp * A
    dro                   -(logp * A - beta / 2 * (logp - sampling logp)^2)

`clip_low_threshold` and `clip_high_threshold` bound the ratio itself: as settings for the batch,
or as tensors of a datum (SDK `types/datum.py`), which win. They are 0.8 and 1.2 by default, for
cispo 0 and 4.

What ppo reports beside its loss has the names that runs against the service logged in 2026:
`ppo_mean_ratio:mean`, `ppo_clipped_fraction:mean` and `ppo_kl_div:mean`, the mean of
sampling logp - logp, each over all positions, those without an advantage too.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from tinker_mock.server.engine.model.keys import Floats
from tinker_mock.server.engine.training.loss_function import InputRule, Inputs, LossTerm, Settings

CLIP = {"clip_low_threshold": 0.8, "clip_high_threshold": 1.2}
CISPO_CLIP = {"clip_low_threshold": 0.0, "clip_high_threshold": 4.0}
POLICY_RULES = (InputRule("logprobs"), InputRule("advantages"))
CLIP_RULES = (
    *POLICY_RULES,
    InputRule("clip_low_threshold", optional=True),
    InputRule("clip_high_threshold", optional=True),
)
LARGEST_LOG_RATIO = 60.0


def ratio_of(log_ratio: Floats) -> Floats:
    """exp, bounded so that far off-policy data stays finite."""
    return np.exp(np.clip(log_ratio, -LARGEST_LOG_RATIO, LARGEST_LOG_RATIO))


def bounds(inputs: Inputs, settings: Settings) -> tuple[Floats, Floats]:
    low = inputs.get("clip_low_threshold", np.asarray(settings["clip_low_threshold"]))
    high = inputs.get("clip_high_threshold", np.asarray(settings["clip_high_threshold"]))
    return low, high


@dataclass(frozen=True)
class ImportanceSampling:
    """REINFORCE with an importance ratio."""

    name: str = "importance_sampling"
    rules: tuple[InputRule, ...] = POLICY_RULES
    settings: Mapping[str, float] = field(default_factory=dict)
    matrix_targets: bool = False

    def term(self, logprobs: Floats, inputs: Inputs, settings: Settings) -> LossTerm:
        weighted = -ratio_of(logprobs - inputs["logprobs"]) * inputs["advantages"]
        return LossTerm(float(weighted.sum()), weighted)


@dataclass(frozen=True)
class Ppo:
    """The clipped surrogate; no gradient where the clipped branch is the smaller one."""

    name: str = "ppo"
    rules: tuple[InputRule, ...] = CLIP_RULES
    settings: Mapping[str, float] = field(default_factory=lambda: dict(CLIP))
    matrix_targets: bool = False

    def term(self, logprobs: Floats, inputs: Inputs, settings: Settings) -> LossTerm:
        gap = logprobs - inputs["logprobs"]
        ratio = ratio_of(gap)
        low, high = bounds(inputs, settings)
        value, slopes = clipped_surrogate(ratio, inputs["advantages"], low, high)
        if not ratio.size:
            return LossTerm(value, slopes)
        reported = {
            "ppo_mean_ratio:mean": float(ratio.mean()),
            "ppo_clipped_fraction:mean": float(np.mean((ratio < low) | (ratio > high))),
            "ppo_kl_div:mean": -float(gap.mean()),
        }
        return LossTerm(value, slopes, reported)


def clipped_surrogate(
    ratio: Floats, advantages: Floats, low: Floats, high: Floats
) -> tuple[float, Floats]:
    """-min(ratio * A, clip(ratio) * A), summed, and its slopes: d ratio/d logp = ratio."""
    plain, clipped = ratio * advantages, np.clip(ratio, low, high) * advantages
    return -float(np.minimum(plain, clipped).sum()), np.where(plain <= clipped, -plain, 0.0)


@dataclass(frozen=True)
class Cispo:
    """The clipped ratio is a constant coefficient of the log-probability."""

    name: str = "cispo"
    rules: tuple[InputRule, ...] = CLIP_RULES
    settings: Mapping[str, float] = field(default_factory=lambda: dict(CISPO_CLIP))
    matrix_targets: bool = False

    def term(self, logprobs: Floats, inputs: Inputs, settings: Settings) -> LossTerm:
        ratio = ratio_of(logprobs - inputs["logprobs"])
        low, high = bounds(inputs, settings)
        slopes = -np.clip(ratio, low, high) * inputs["advantages"]
        return LossTerm(float((slopes * logprobs).sum()), slopes)


@dataclass(frozen=True)
class Dro:
    """Off-policy, with a quadratic penalty. `beta` 0.05 is the documentation's example value."""

    name: str = "dro"
    rules: tuple[InputRule, ...] = POLICY_RULES
    settings: Mapping[str, float] = field(default_factory=lambda: {"beta": 0.05})
    matrix_targets: bool = False

    def term(self, logprobs: Floats, inputs: Inputs, settings: Settings) -> LossTerm:
        gap, beta = logprobs - inputs["logprobs"], settings["beta"]
        objective = logprobs * inputs["advantages"] - 0.5 * beta * gap**2
        return LossTerm(-float(objective.sum()), beta * gap - inputs["advantages"])
