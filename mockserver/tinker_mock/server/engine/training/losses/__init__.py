"""Loss functions of target log-probabilities, with their exact slopes."""

from tinker_mock.server.engine.training.loss_function import LossFunction, LossTerm
from tinker_mock.server.engine.training.losses.catalog import LOSSES, evaluate

__all__ = ["LOSSES", "LossFunction", "LossTerm", "evaluate"]
