"""AdamW over an adapter's parameters.

As the SDK describes it (`types/optimizer.py`: learning_rate 1e-4, beta1 0.9, beta2 0.95, eps
1e-12, weight_decay 0 decoupled, grad_clip_norm 0 for none), after Kingma & Ba 2015 and Loshchilov &
Hutter 2019. Every parameter moves at every step; those without a gradient are moved when they are
next looked at, by what the steps since then come to (`idle_steps.py`).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from tinker_mock.server.engine.model.adapter import MAX_VALUE, RATE, Adapter, State
from tinker_mock.server.engine.model.columns import Column
from tinker_mock.server.engine.model.keys import Floats, Ints, Narrow
from tinker_mock.server.engine.training.gradient import Gradient
from tinker_mock.server.engine.training.idle_steps import IdleSteps
from tinker_mock.server.engine.training.optimizer_state import OptimizerState


def clip(gradient: Floats, limit: float) -> tuple[Floats, float]:
    """The gradient scaled to a norm of at most `limit` (0 for none), and its norm before."""
    norm = math.sqrt(float(gradient @ gradient))
    return (gradient * (limit / norm), norm) if 0 < limit < norm else (gradient, norm)


class Adam(OptimizerState):
    """The moments of an adapter's parameters, as of the step that last touched each.

    The adapter's `values` are those of that step too: `values_of` says what they are by now.
    """

    state_key = "steps"

    def __init__(self, adapter: Adapter) -> None:
        super().__init__(adapter)
        self.first, self.second = Column(np.zeros(0)), Column(np.zeros(0))
        self.touched = Column(np.zeros(0, dtype=np.int32))
        self.rates = Column(np.zeros(0, dtype=np.float32))
        self.idle = IdleSteps()
        self._fit()

    @property
    def step(self) -> int:
        return self.idle.step

    def values_of(self, entries: Ints) -> Floats:
        """What parameters are by now."""
        self._fit()
        found: Floats = self.adapter.values.values.take(entries)
        late = np.flatnonzero(self.touched.values.take(entries) != self.step)
        if late.size and not self.idle.decays:
            late = late[self.first.values[entries[late]] != 0.0]
        if late.size:
            found[late] = self._rounded(self._coasted(entries[late]))
        return found

    def apply(self, gradient: Gradient, params: Mapping[str, float]) -> None:
        """One step: all parameters that the gradient does not name have none."""
        self._fit()
        entries, slopes = gradient.entries, gradient.slopes
        first, second = self._moments_of(entries)
        b1, b2, rate, step = (
            params["beta1"],
            params["beta2"],
            params["learning_rate"],
            self.step + 1,
        )
        first = b1 * first + (1 - b1) * slopes
        second = b2 * second + (1 - b2) * slopes * slopes
        spread = np.sqrt(second / (1 - b2**step)) + params["eps"]
        if params["eps"] == 0.0:
            spread[spread == 0.0] = 1.0  # no gradient ever: the first moment is 0 as well
        update = first / spread
        update *= self.rates.values.take(entries)
        update *= rate / (1 - b1**step)
        kept = 1 - rate * params["weight_decay"]
        self.adapter.values.values[entries] = self._rounded(kept * gradient.values - update)
        self.first.values[entries], self.second.values[entries] = first, second
        self.touched.values[entries] = step
        self.idle.record(params)

    def packed(self, entries: Narrow) -> State:
        """What a checkpoint keeps of it, for these entries."""
        self._fit()
        return {
            "pairs.first": self.first.values[entries],
            "pairs.second": self.second.values[entries],
            "pairs.touched": self.touched.values[entries].astype(np.int64),
            "pairs.at_touch": self.adapter.values.values[entries].astype(np.float32),
            "steps": self.idle.packed(),
        }

    @classmethod
    def from_packed(cls, adapter: Adapter, entries: Ints, state: Mapping[str, Any]) -> Adam:
        """The same again."""
        found = cls(adapter)
        found.idle = IdleSteps.from_packed(state["steps"])
        adapter.values.values[entries] = state["pairs.at_touch"]
        found.first.values[entries] = state["pairs.first"]
        found.second.values[entries] = state["pairs.second"]
        found.touched.values[entries] = state["pairs.touched"]
        return found

    def _moments_of(self, entries: Ints) -> tuple[Floats, Floats]:
        """What is left of the moments of entries."""
        first: Floats = self.first.values.take(entries)
        second: Floats = self.second.values.take(entries)
        since = self.touched.values.take(entries)
        late = np.flatnonzero(since != self.step)
        if late.size:
            first[late], second[late] = self.idle.moments_after(
                first[late], second[late], since[late]
            )
        return first, second

    def _coasted(self, entries: Ints) -> Floats:
        return self.idle.values_after(
            self.adapter.values.values[entries],
            self.first.values[entries],
            self.second.values[entries],
            self.rates.values[entries].astype(np.float64),
            self.touched.values[entries],
        )

    @staticmethod
    def _rounded(values: Floats) -> Floats:
        """Adapters are saved as float32: rounding at once makes a saved one the same to the bit."""
        bounded = np.minimum(np.maximum(values, -MAX_VALUE), MAX_VALUE)
        found: Floats = bounded.astype(np.float32).astype(np.float64)
        return found

    def _fit(self) -> None:
        """Room for the adapter's entries."""
        self.adapter.fit()
        begin, table = self.first.size, self.adapter.table
        more = self.adapter.values.size - begin
        if more:
            self.first.extend_by(more, 0.0)
            self.second.extend_by(more, 0.0)
            self.touched.extend_by(more, self.step)
            # Whole numbers, exact in 24 bits.
            self.rates.extend(np.array(RATE)[table.order.values[table.context.values[begin:]]])
