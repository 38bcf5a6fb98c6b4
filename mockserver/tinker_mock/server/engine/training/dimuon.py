"""Dimuon, as far as it is documented, on an adapter without LoRA matrices: an approximation.

Documented (tinker-docs, `DimuonParams`): a momentum with coefficient beta1; a direction of
Frobenius norm √rank for every LoRA matrix, from a row and column preconditioner that `damping`
smooths and a number of matrix-sign iterations that is not told; the learning rate times a
correction for the rank, relative to 32, with the exponent `rank_lr_correction_exponent`; no weight
decay. The defaults of the last two settings are those of SDK 0.29.

Here a matrix is what the adapter holds of one order: its rows are contexts, its columns tokens, and
what was never seen is 0. The preconditioner divides by the fourth roots of each row's and column's
mean square, relative to that of all; there are no matrix-sign iterations after it, which is exact
where no two entries share a row or a column. A larger rank learns more slowly, by
(32 / rank)^exponent.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from tinker_mock.server.engine.model.adapter import MAX_VALUE, RATE, Adapter, State
from tinker_mock.server.engine.model.columns import Column
from tinker_mock.server.engine.model.keys import Floats, Ints, Narrow
from tinker_mock.server.engine.training.gradient import Gradient
from tinker_mock.server.engine.training.optimizer_state import OptimizerState

REFERENCE_RANK = 32
MOMENTUM, STEPS = "dimuon.momentum", "dimuon.steps"


class Dimuon(OptimizerState):
    """The momentum of an adapter's parameters. Every parameter that has any moves at every step."""

    state_key = MOMENTUM

    def __init__(self, adapter: Adapter) -> None:
        super().__init__(adapter)
        self.momentum = Column(np.zeros(adapter.values.size))
        self.step = 0

    def values_of(self, entries: Ints) -> Floats:
        """The parameters of entries."""
        return self.adapter.values_of(entries)

    def apply(self, gradient: Gradient, params: Mapping[str, float]) -> None:
        """One step with this gradient, which all other parameters have none of."""
        self.momentum.extend_by(self.adapter.values.size - self.momentum.size, 0.0)
        momentum = self.momentum.values
        momentum *= params["beta1"]
        momentum[gradient.entries] += (1 - params["beta1"]) * gradient.slopes
        moving = np.flatnonzero(momentum)
        table, rank = self.adapter.table, self.adapter.shape.rank
        numbers, contexts = table.as_if_whole(moving)
        sorted_ = np.argsort(numbers)  # sums are then the same to the bit after a resumption
        moving, contexts = moving[sorted_], contexts[sorted_]
        tokens, orders = (
            table.token.values[moving],
            table.order.values[table.context.values[moving]],
        )
        rate = params["learning_rate"] * np.sqrt(rank)
        rate *= (REFERENCE_RANK / rank) ** params["rank_lr_correction_exponent"]
        for order in np.unique(orders):
            chosen = np.flatnonzero(orders == order)
            direction = unit_direction(
                momentum[moving[chosen]], contexts[chosen], tokens[chosen], params["damping"]
            )
            places = moving[chosen]
            value = self.adapter.values.values[places] - rate * RATE[order] * direction
            # Adapters are saved as float32: rounding at once keeps a saved one the same to the bit.
            rounded = np.clip(value, -MAX_VALUE, MAX_VALUE).astype(np.float32)
            self.adapter.values.values[places] = rounded.astype(np.float64)
        self.step += 1

    def packed(self, entries: Narrow) -> State:
        """What a checkpoint keeps of it, for these entries."""
        self.momentum.extend_by(self.adapter.values.size - self.momentum.size, 0.0)
        return {MOMENTUM: self.momentum.values[entries], STEPS: np.array([self.step])}

    @classmethod
    def from_packed(cls, adapter: Adapter, entries: Ints, state: Mapping[str, Any]) -> Dimuon:
        """The same again."""
        found = cls(adapter)
        found.momentum.values[entries] = state[MOMENTUM]
        found.step = int(state[STEPS][0])
        return found


def unit_direction(values: Floats, rows: Ints, columns: Narrow, damping: float) -> Floats:
    """The preconditioned values of one matrix's entries, with Frobenius norm 1."""
    squares = values * values
    scale = np.ones(values.size)
    for lines in (rows, columns):
        _, line = np.unique(lines, return_inverse=True)
        energy = np.bincount(line, weights=squares)
        scale *= (energy / energy.mean() + damping)[line] ** -0.25
    direction: Floats = values * scale
    return direction / np.linalg.norm(direction)
