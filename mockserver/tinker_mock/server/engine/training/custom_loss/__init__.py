"""Custom losses: a traced graph rebuilt from an allow-list and differentiated in numpy."""

from tinker_mock.server.engine.training.custom_loss.graph import CustomLoss, compile_loss

__all__ = ["CustomLoss", "compile_loss"]
