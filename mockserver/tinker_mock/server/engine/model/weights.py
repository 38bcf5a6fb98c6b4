"""Immutable weights: what a sampler or a checkpoint holds on to.

They keep the parameters only, packed into arrays: `vocabulary_size` (what the keys were packed
for) and per order `orders.{o}.keys` int64 and `orders.{o}.values` float32. What is needed to
compute with them is made when they are unpacked.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinker_mock.server.engine.errors import EngineError
from tinker_mock.server.engine.model.adapter import AdapterShape, Parameters
from tinker_mock.server.engine.model.context_tables import ORDERS, ContextTables
from tinker_mock.server.engine.model.frozen_model import FrozenModel
from tinker_mock.server.engine.model.keys import find

State = dict[str, NDArray[Any]]


class Weights:
    """A snapshot of an adapter. Later training does not change it."""

    def __init__(self, shape: AdapterShape, state: State) -> None:
        self.shape = shape
        self._state = state

    @classmethod
    def of(cls, parameters: Parameters) -> Weights:
        """The parameters as they are."""
        return cls(parameters.shape, pack(parameters))

    def __deepcopy__(self, memo: dict[int, object]) -> Weights:
        return self

    def unpacked(self, frozen: FrozenModel) -> Parameters:
        """The parameters again; refuses another vocabulary."""
        return unpack(frozen, self.shape, self._state)

    def state(self) -> State:
        """The packed arrays."""
        return dict(self._state)


def pack(parameters: Parameters) -> State:
    """The parameters as arrays."""
    state: State = {"vocabulary_size": np.array([parameters.frozen.vocabulary_size])}
    for order in range(ORDERS):
        chosen = parameters.trained[order]
        state[f"orders.{order}.keys"] = parameters.trained_keys(order)
        state[f"orders.{order}.values"] = parameters.values[order][chosen].astype(np.float32)
    return state


def unpack(
    frozen: FrozenModel, shape: AdapterShape, state: Mapping[str, NDArray[Any]]
) -> Parameters:
    """Parameters from packed arrays; refuses those of another vocabulary."""
    size = int(state["vocabulary_size"][0])
    if size != frozen.vocabulary_size:
        raise EngineError(
            "path",
            f"the checkpoint belongs to a vocabulary of {size} tokens, {frozen.name} has "
            f"{frozen.vocabulary_size}",
            "Load it into the base model it was trained from",
        )
    keys = [np.asarray(state[f"orders.{o}.keys"], dtype=np.int64) for o in range(ORDERS)]
    tables = ContextTables.build(frozen, keys)
    values, trained = [], []
    for order, table in enumerate(tables.orders):
        at = find(table.keys, keys[order])
        value, flag = np.zeros(table.keys.size), np.zeros(table.keys.size, dtype=bool)
        value[at] = np.asarray(state[f"orders.{order}.values"], dtype=np.float64)
        flag[at] = True
        values.append(value)
        trained.append(flag)
    return Parameters(
        frozen,
        shape,
        tables,
        (values[0], values[1], values[2]),
        (trained[0], trained[1], trained[2]),
    )
