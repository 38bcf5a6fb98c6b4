"""Checkpoints as arrays: exact to the bit, with or without the optimizer.

Weights are packed as `model/weights.py` says; of a trainer there are also `orders.{o}.first` and
`orders.{o}.second` float64, the moments, and `step`, the step count.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinker_mock.server.engine.errors import EngineError
from tinker_mock.server.engine.model.adapter import AdapterShape
from tinker_mock.server.engine.model.base_model import BaseModel
from tinker_mock.server.engine.model.context_tables import ORDERS
from tinker_mock.server.engine.model.keys import find
from tinker_mock.server.engine.model.weights import State, Weights, pack, unpack
from tinker_mock.server.engine.training.optimizers import Moments
from tinker_mock.server.engine.training.trainer import Trainer


def export_weights(weights: Weights) -> State:
    """The arrays of a checkpoint without optimizer."""
    return weights.state()


def import_weights(
    base: BaseModel, shape: AdapterShape, state: Mapping[str, NDArray[Any]]
) -> Weights:
    """Weights from a checkpoint's arrays; refuses those of another vocabulary."""
    return base.snapshot(unpack(base.frozen, shape, state))


def export_state(trainer: Trainer) -> State:
    """Everything a trainer needs to go on: parameters, moments and step."""
    parameters, moments = trainer.parameters, trainer.moments
    state = pack(parameters)
    for order in range(ORDERS):
        chosen = parameters.trained[order]
        state[f"orders.{order}.first"] = moments.first[order][chosen]
        state[f"orders.{order}.second"] = moments.second[order][chosen]
    state["step"] = np.array([moments.step])
    return state


def load_state(
    trainer: Trainer, state: Mapping[str, NDArray[Any]], with_optimizer: bool = False
) -> None:
    """Give a trainer a checkpoint's weights; without its optimizer the moments start at zero."""
    parameters = unpack(trainer.base.frozen, trainer.shape, state)
    moments = Moments.zeros(parameters)
    if with_optimizer:
        if "step" not in state:
            raise EngineError(
                "optimizer",
                "this checkpoint holds weights only",
                "Load a checkpoint made by save_state, or load without the optimizer",
            )
        moments.step = int(state["step"][0])
        for order, table in enumerate(parameters.tables.orders):
            at = find(table.keys, np.asarray(state[f"orders.{order}.keys"], dtype=np.int64))
            moments.first[order][at] = state[f"orders.{order}.first"]
            moments.second[order][at] = state[f"orders.{order}.second"]
    trainer.resume(parameters, moments)
