"""Checkpoints as arrays: exact to the bit, with or without the optimizer.

`orders.{o}.keys` int64 and `.values` float32 hold the parameters, `.first` and `.second` float64
the moments, `step` the step count, `vocabulary_size` what the keys were packed for.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tinker_mock.server.engine.errors import EngineError
from tinker_mock.server.engine.model.adapter import AdapterShape, Parameters
from tinker_mock.server.engine.model.context_tables import ORDERS, Lattice
from tinker_mock.server.engine.model.keys import find
from tinker_mock.server.engine.training.optimizers import Moments

if TYPE_CHECKING:
    from tinker_mock.server.engine.model.base_model import BaseModel

State = dict[str, NDArray[Any]]


def export_parameters(parameters: Parameters) -> State:
    """The parameters alone."""
    state: State = {"vocabulary_size": np.array([parameters.base.vocabulary_size])}
    for order in range(ORDERS):
        chosen = parameters.trained[order]
        state[f"orders.{order}.keys"] = parameters.lattice.levels[order].keys[chosen]
        state[f"orders.{order}.values"] = parameters.values[order][chosen].astype(np.float32)
    return state


def export_state(parameters: Parameters, moments: Moments) -> State:
    """Parameters, moments and step."""
    state = export_parameters(parameters)
    for order in range(ORDERS):
        chosen = parameters.trained[order]
        state[f"orders.{order}.first"] = moments.first[order][chosen]
        state[f"orders.{order}.second"] = moments.second[order][chosen]
    state["step"] = np.array([moments.step])
    return state


def load_parameters(
    base: BaseModel, shape: AdapterShape, state: Mapping[str, NDArray[Any]]
) -> Parameters:
    """Parameters from exported arrays; refuses those of another vocabulary."""
    size = int(state["vocabulary_size"][0])
    if size != base.vocabulary_size:
        raise EngineError(
            "path",
            f"the checkpoint belongs to a vocabulary of {size} tokens, {base.name} has "
            f"{base.vocabulary_size}",
            "Load it into the base model it was trained from",
        )
    keys = [np.asarray(state[f"orders.{o}.keys"], dtype=np.int64) for o in range(ORDERS)]
    lattice = Lattice.build(base, keys)
    values, trained = [], []
    for order, level in enumerate(lattice.levels):
        at = find(level.keys, keys[order])
        value, flag = np.zeros(level.keys.size), np.zeros(level.keys.size, dtype=bool)
        value[at] = np.asarray(state[f"orders.{order}.values"], dtype=np.float64)
        flag[at] = True
        values.append(value)
        trained.append(flag)
    return Parameters(
        base,
        shape,
        lattice,
        (values[0], values[1], values[2]),
        (trained[0], trained[1], trained[2]),
    )


def load_state(
    base: BaseModel, shape: AdapterShape, state: Mapping[str, NDArray[Any]], with_optimizer: bool
) -> tuple[Parameters, Moments]:
    """Parameters and moments; moments are zero without `with_optimizer`."""
    parameters = load_parameters(base, shape, state)
    moments = Moments.zeros(parameters)
    if with_optimizer:
        if "step" not in state:
            raise EngineError(
                "optimizer",
                "this checkpoint holds weights only",
                "Load a checkpoint made by save_state, or load without the optimizer",
            )
        moments.step = int(state["step"][0])
        for order, level in enumerate(parameters.lattice.levels):
            at = find(level.keys, np.asarray(state[f"orders.{order}.keys"], dtype=np.int64))
            moments.first[order][at] = state[f"orders.{order}.first"]
            moments.second[order][at] = state[f"orders.{order}.second"]
    return parameters, moments
