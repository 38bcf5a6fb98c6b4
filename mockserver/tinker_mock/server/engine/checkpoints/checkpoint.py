"""Checkpoints as arrays: exact to the bit, with or without the optimizer.

Weights are packed as `model/weights.py` says; of a trainer there are also, per pair, `pairs.first`
and `pairs.second` float64, the moments, `pairs.touched`, the step that last touched it, and
`pairs.at_touch` float32, its value then; and `steps` [5, steps], what every step was told.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinker_mock.server.engine.errors import EngineError
from tinker_mock.server.engine.model.adapter import Adapter, AdapterShape, State
from tinker_mock.server.engine.model.base_model import BaseModel
from tinker_mock.server.engine.model.weights import Weights
from tinker_mock.server.engine.training.adam import Adam
from tinker_mock.server.engine.training.idle_steps import IdleSteps
from tinker_mock.server.engine.training.trainer import Trainer


def export_weights(weights: Weights) -> State:
    """The arrays of a checkpoint without optimizer."""
    return weights.state()


def import_weights(
    base: BaseModel, shape: AdapterShape, state: Mapping[str, NDArray[Any]]
) -> Weights:
    """Weights from a checkpoint's arrays; refuses those of another vocabulary."""
    return base.snapshot(Adapter.from_packed(shape, base.table, state)[0])


def export_state(trainer: Trainer) -> State:
    """Everything a trainer needs to go on: parameters, moments and steps."""
    adam, adapter = trainer.adam, trainer.adapter
    state = trainer.snapshot().state()
    entries = adapter.history[0].values
    adam.values_of(entries[:0])
    state["pairs.first"] = adam.first.values[entries]
    state["pairs.second"] = adam.second.values[entries]
    state["pairs.touched"] = adam.touched.values[entries]
    state["pairs.at_touch"] = adapter.values.values[entries].astype(np.float32)
    state["steps"] = adam.idle.packed()
    return state


def load_state(
    trainer: Trainer, state: Mapping[str, NDArray[Any]], with_optimizer: bool = False
) -> None:
    """Give a trainer a checkpoint's weights; without its optimizer the moments start at zero."""
    if with_optimizer and "steps" not in state:
        raise EngineError(
            "optimizer",
            "this checkpoint holds weights only",
            "Load a checkpoint made by save_state, or load without the optimizer",
        )
    adapter, entries = Adapter.from_packed(trainer.shape, trainer.base.table, state)
    adam = Adam(adapter)
    if with_optimizer:
        adam.idle = IdleSteps.from_packed(state["steps"])
        adapter.values.values[entries] = state["pairs.at_touch"]
        adam.first.values[entries] = state["pairs.first"]
        adam.second.values[entries] = state["pairs.second"]
        adam.touched.values[entries] = state["pairs.touched"]
    trainer.start(adam)
