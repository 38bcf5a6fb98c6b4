"""Weighted negative log-likelihood: sum of -logp * weight, weights of any sign.

Source: tinker-docs "Loss Functions"; SDK `training_client.py` (custom losses send their
gradient as weights, so these may be negative).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from tinker_mock.server.engine.model.keys import Floats
from tinker_mock.server.engine.training.loss_function import InputRule, Inputs, LossTerm, Settings


@dataclass(frozen=True)
class CrossEntropy:
    """Targets [N] or [N, K]; `weights` in the same shape, 1 where left out."""

    name: str = "cross_entropy"
    rules: tuple[InputRule, ...] = (InputRule("weights", default=1.0),)
    settings: Mapping[str, float] = field(default_factory=dict)
    matrix_targets: bool = True

    def term(self, logprobs: Floats, inputs: Inputs, settings: Settings) -> LossTerm:
        weights = inputs["weights"]
        return LossTerm(-float((logprobs * weights).sum()), -weights)
