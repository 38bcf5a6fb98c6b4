"""Token-level policy losses, as the service's documentation defines them.

Source of formulas, tensor names and the 0.2 clipping range: tinker-docs, "Loss Functions" and
its pages on importance_sampling, PPO, CISPO and DRO. Sums over tokens, never means. With
ratio = exp(logp - sampling logp):

    importance_sampling   -ratio * A
    ppo                   -min(ratio * A, clip(ratio) * A)
    cispo                 -stop_gradient(clip(ratio)) * logp * A
    dro                   -(logp * A - beta / 2 * (logp - sampling logp)^2)

`clip_low_threshold` and `clip_high_threshold` bound the ratio itself: as settings for the batch,
or as tensors of a datum (SDK `types/datum.py`), which win.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from tinker_mock.server.engine.model.keys import Floats
from tinker_mock.server.engine.training.loss_function import InputRule, Inputs, LossTerm, Settings

CLIP = {"clip_low_threshold": 0.8, "clip_high_threshold": 1.2}
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
        return clipped_surrogate(
            ratio_of(logprobs - inputs["logprobs"]),
            inputs["advantages"],
            *bounds(inputs, settings),
        )


def clipped_surrogate(ratio: Floats, advantages: Floats, low: Floats, high: Floats) -> LossTerm:
    """-min(ratio * A, clip(ratio) * A), summed; slopes take d ratio/d logp = ratio."""
    plain, clipped = ratio * advantages, np.clip(ratio, low, high) * advantages
    active = plain <= clipped
    share = float(np.mean(~active)) if ratio.size else 0.0
    return LossTerm(
        -float(np.minimum(plain, clipped).sum()),
        np.where(active, -plain, 0.0),
        {"clip_fraction:mean": share},
    )


@dataclass(frozen=True)
class Cispo:
    """The clipped ratio is a constant coefficient of the log-probability."""

    name: str = "cispo"
    rules: tuple[InputRule, ...] = CLIP_RULES
    settings: Mapping[str, float] = field(default_factory=lambda: dict(CLIP))
    matrix_targets: bool = False

    def term(self, logprobs: Floats, inputs: Inputs, settings: Settings) -> LossTerm:
        ratio = ratio_of(logprobs - inputs["logprobs"])
        low, high = bounds(inputs, settings)
        coefficient = np.clip(ratio, low, high)
        slopes = -coefficient * inputs["advantages"]
        share = float(np.mean(coefficient != ratio)) if ratio.size else 0.0
        return LossTerm(float((slopes * logprobs).sum()), slopes, {"clip_fraction:mean": share})


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
