"""Checkpoints as arrays: exact to the bit, with or without the optimizer.

Weights are packed as `model/weights.py` says. Of AdamW there are also, per pair, `pairs.first` and
`pairs.second` float64, the moments, `pairs.touched`, the step that last touched it, and
`pairs.at_touch` float32, its value then; and `steps` [5, steps], what every step was told. Of
Dimuon there are `dimuon.momentum` float64 per pair and `dimuon.steps`, how many there were.
"""

from collections.abc import Mapping
from typing import Any

from numpy.typing import NDArray

from tinker_mock.server.engine.errors import EngineError
from tinker_mock.server.engine.model.adapter import Adapter, AdapterShape, State
from tinker_mock.server.engine.model.base_model import BaseModel
from tinker_mock.server.engine.model.weights import Weights
from tinker_mock.server.engine.training.optimizers import FAMILIES
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
    """Everything a trainer needs to go on: parameters, and what its optimizer remembers."""
    entries = trainer.adapter.history.entries.values
    return {**trainer.snapshot().state(), **trainer.optimizer.packed(entries)}


def load_state(
    trainer: Trainer, state: Mapping[str, NDArray[Any]], with_optimizer: bool = False
) -> None:
    """Give a trainer a checkpoint's weights; without its optimizer that one starts anew."""
    family = trainer.family
    if with_optimizer and family.state_key not in state:
        known = any(one.state_key in state for one in FAMILIES.values())
        raise EngineError(
            "optimizer",
            "this checkpoint has another optimizer's state"
            if known
            else "this checkpoint holds weights only",
            "Load a checkpoint made by save_state, or load without the optimizer",
        )
    adapter, entries = Adapter.from_packed(trainer.shape, trainer.base.table, state)
    trainer.start(
        family.from_packed(adapter, entries, state) if with_optimizer else family(adapter)
    )
