"""Loss functions of target log-probabilities, with their exact slopes."""

from mockserver.engine.losses.catalog import LOSSES, evaluate
from mockserver.engine.losses.terms import LossFunction, LossTerm

__all__ = ["LOSSES", "LossFunction", "LossTerm", "evaluate"]
