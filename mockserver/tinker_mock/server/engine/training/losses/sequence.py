"""Sequence-level policy losses: gspo and stable_reinforce.

gspo: tinker-docs "GSPO" (Zheng et al. 2025, in its token-level form). With s = exp(mean over the
marked tokens of logp - sampling logp), the loss is -sum min(s * A, clip(s) * A), where dividing
the derivative among tokens treats s as ratio of the token at hand: d s / d logp_t = s.

stable_reinforce: the service has not published its formula (tinker-docs: "alpha"; it uses
information recorded while sampling). Here it is REINFORCE with a token ratio truncated at 1
(Espeholt et al. 2018, V-trace's rho) and a penalty on the sampled log-ratio, the k2 estimate of
the divergence from the sampling policy:

    -min(1, stop_gradient(ratio)) * logp * A + kl_coeff / 2 * (logp - sampling logp)^2

On the policy that sampled it is REINFORCE exactly. `kl_coeff` (SDK `forward_backward_input.py`)
is 0 here where left out; the service's default is not known.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from tinker_mock.server.engine.model.keys import Floats
from tinker_mock.server.engine.training.loss_function import InputRule, Inputs, LossTerm, Settings
from tinker_mock.server.engine.training.losses.policy import (
    CLIP,
    CLIP_RULES,
    bounds,
    clipped_surrogate,
    ratio_of,
)


@dataclass(frozen=True)
class Gspo:
    """Without a mask, or with an empty one, the ratio runs over the tokens with an advantage."""

    name: str = "gspo"
    rules: tuple[InputRule, ...] = (*CLIP_RULES, InputRule("sequence_ratio_mask", optional=True))
    settings: Mapping[str, float] = field(default_factory=lambda: dict(CLIP))
    matrix_targets: bool = False

    def term(self, logprobs: Floats, inputs: Inputs, settings: Settings) -> LossTerm:
        advantages = inputs["advantages"]
        chosen = inputs.get("sequence_ratio_mask", np.zeros(0)) != 0
        if not np.any(chosen):
            chosen = advantages != 0
        if not np.any(chosen):
            return LossTerm(0.0, np.zeros_like(logprobs))
        mean = float((logprobs - inputs["logprobs"])[chosen].mean())
        ratio = np.full(logprobs.shape, float(ratio_of(np.asarray(mean))))
        return LossTerm(*clipped_surrogate(ratio, advantages, *bounds(inputs, settings)))


@dataclass(frozen=True)
class StableReinforce:
    """REINFORCE with a truncated ratio; without `logprobs` the data counts as on-policy."""

    name: str = "stable_reinforce"
    rules: tuple[InputRule, ...] = (InputRule("advantages"), InputRule("logprobs", optional=True))
    settings: Mapping[str, float] = field(default_factory=lambda: {"kl_coeff": 0.0})
    matrix_targets: bool = False

    def term(self, logprobs: Floats, inputs: Inputs, settings: Settings) -> LossTerm:
        gap = logprobs - inputs.get("logprobs", logprobs)
        coefficient = np.minimum(ratio_of(gap), 1.0)
        policy = -coefficient * inputs["advantages"]
        penalty = 0.5 * settings["kl_coeff"] * gap**2
        value = float((policy * logprobs + penalty).sum())
        return LossTerm(value, policy + settings["kl_coeff"] * gap)
