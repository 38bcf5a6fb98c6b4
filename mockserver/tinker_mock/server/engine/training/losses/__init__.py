"""Loss functions of target log-probabilities, with their exact slopes."""

from tinker_mock.server.engine.training.losses.catalog import LOSSES, evaluate
from tinker_mock.server.engine.training.losses.terms import LossFunction, LossTerm

__all__ = ["LOSSES", "LossFunction", "LossTerm", "evaluate"]
