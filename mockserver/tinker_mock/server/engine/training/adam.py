"""AdamW over an adapter's parameters.

As the SDK describes it (`types/optimizer.py`: learning_rate 1e-4, beta1 0.9, beta2 0.95, eps
1e-12, weight_decay 0 decoupled, grad_clip_norm 0 for none), after Kingma & Ba 2015 and Loshchilov &
Hutter 2019. Every parameter moves at every step; those without a gradient are moved when they are
next looked at, by what the steps since then come to (`idle_steps.py`).
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from tinker_mock.server.engine.model.adapter import MAX_VALUE, RATE, Adapter
from tinker_mock.server.engine.model.columns import Column
from tinker_mock.server.engine.model.keys import Floats, Ints
from tinker_mock.server.engine.training.idle_steps import IdleSteps


def clip(gradient: Floats, limit: float) -> tuple[Floats, float]:
    """The gradient scaled to a norm of at most `limit` (0 for none), and its norm before."""
    norm = math.sqrt(float(gradient @ gradient))
    return (gradient * (limit / norm), norm) if 0 < limit < norm else (gradient, norm)


class Adam:
    """The moments of an adapter's parameters, as of the step that last touched each.

    The adapter's `values` are those of that step too: `values_of` says what they are by now.
    """

    def __init__(self, adapter: Adapter) -> None:
        size = adapter.values.size
        self.adapter = adapter
        self.first = Column(np.zeros(size))
        self.second = Column(np.zeros(size))
        self.touched = Column(np.zeros(size, dtype=np.int64))
        self.idle = IdleSteps()

    @property
    def step(self) -> int:
        return self.idle.step

    def values_of(self, entries: Ints) -> Floats:
        """The parameters of entries as they are now, 0 for those that are none."""
        self._make_room()
        found: Floats = self.adapter.values.values[entries]
        since = self.touched.values[entries]
        late = np.flatnonzero((since != self.step) & (self.first.values[entries] != 0.0))
        if self.idle.decays:
            late = np.flatnonzero(since != self.step)
        if late.size:
            found[late] = self._rounded(self._coasted(entries[late]))
        return found

    def apply(self, entries: Ints, gradient: Floats, params: Mapping[str, float]) -> None:
        """One step with this gradient of these parameters (distinct), and none of all others."""
        self._make_room()
        b1, b2, rate = params["beta1"], params["beta2"], params["learning_rate"]
        step, since = self.step + 1, self.touched.values[entries]
        value = self.values_of(entries)
        first, second = self.idle.moments_after(
            self.first.values[entries], self.second.values[entries], since
        )
        first = b1 * first + (1 - b1) * gradient
        second = b2 * second + (1 - b2) * gradient * gradient
        spread = np.sqrt(second / (1 - b2**step)) + params["eps"]
        update = np.divide(
            first / (1 - b1**step), spread, out=np.zeros_like(first), where=spread > 0
        )
        kept = 1 - rate * params["weight_decay"]
        value = kept * value - rate * self._rates(entries) * update
        self.adapter.values.values[entries] = self._rounded(value)
        self.first.values[entries], self.second.values[entries] = first, second
        self.touched.values[entries] = step
        self.idle.record(params)

    def _coasted(self, entries: Ints) -> Floats:
        return self.idle.values_after(
            self.adapter.values.values[entries],
            self.first.values[entries],
            self.second.values[entries],
            self._rates(entries),
            self.touched.values[entries],
        )

    def _rates(self, entries: Ints) -> Floats:
        table = self.adapter.table
        found: Floats = np.array(RATE)[table.order.values[table.context.values[entries]]]
        return found

    @staticmethod
    def _rounded(values: Floats) -> Floats:
        """Adapters are saved as float32: rounding at once makes a saved one the same to the bit."""
        found: Floats = np.clip(values, -MAX_VALUE, MAX_VALUE).astype(np.float32).astype(np.float64)
        return found

    def _make_room(self) -> None:
        more = self.adapter.values.size - self.first.size
        if more:
            self.first.extend_by(more, 0.0)
            self.second.extend_by(more, 0.0)
            self.touched.extend_by(more, self.step)
