"""What optimizer steps do to parameters that have no gradient, in closed form.

Adam moves every parameter at every step: without a gradient its moments decay and it coasts on.
With first moment m and second moment v at the parameter's last step t0, step j later moves it by

    rate_j * (m A_j / fix1_j) / (sqrt(v) D_j + eps_j),  A_j = product of beta1, D_j² = product of
    beta2 divided by fix2_j

and the sum over j is m / sqrt(v) times a power series in 1 / sqrt(v), whose coefficients depend on
t0 alone. They are kept for every t0 and brought up to date by each step, so a parameter that was
untouched for a thousand steps costs no more than one that was touched at the last.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinker_mock.server.engine.model.columns import Column
from tinker_mock.server.engine.model.keys import Floats, Narrow

TERMS = 5
"""Of the power series; the last one tells how much is missing."""

TOLERANCE = 1e-13
NOTHING_LEFT = 1e-20

PARAMS = ("learning_rate", "beta1", "beta2", "eps", "weight_decay")


class IdleSteps:
    """Per step t0: the products of beta1, beta2 and decay since, and the series' coefficients."""

    def __init__(self) -> None:
        self.first = Column(np.ones(1))
        self.second = Column(np.ones(1))
        self.kept = Column(np.ones(1))
        self.series = [Column(np.zeros(1)) for _ in range(TERMS)]
        self.params = [Column(np.zeros(1)) for _ in PARAMS]
        self.decays = False
        self._coasting = 0

    @property
    def step(self) -> int:
        """How many steps there were."""
        return self.first.size - 1

    def record(self, params: Mapping[str, float]) -> None:
        """One more step, for all that it leaves untouched."""
        b1, b2, rate = params["beta1"], params["beta2"], params["learning_rate"]
        step, kept = self.step + 1, 1 - rate * params["weight_decay"]
        self.first.values[:] *= b1
        self.second.values[:] *= b2
        begin = self._coasting
        first, second = self.first.values[begin:], self.second.values[begin:]
        self.decays = self.decays or kept != 1.0
        if kept != 1.0:
            self.kept.values[:] *= kept
            for column in self.series:
                column.values[:] *= kept
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            root = np.sqrt(second / (1 - b2**step))
            moved = (rate / (1 - b1**step)) * first / root
            for power, column in enumerate(self.series):
                column.values[begin:] += moved * (params["eps"] / root) ** power
            total = self.series[0].values[begin:]
            done = np.flatnonzero(~(moved <= NOTHING_LEFT * total))
        self._coasting = begin + int(done[0]) if done.size else self.first.size
        for column, name in zip(self.params, PARAMS, strict=True):
            column.extend_by(1, params[name])
        for column in (self.first, self.second, self.kept):
            column.extend_by(1, 1.0)
        for column in self.series:
            column.extend_by(1, 0.0)

    def values_after(
        self, values: Floats, first: Floats, second: Floats, rates: Floats, since: Narrow
    ) -> Floats:
        """Where parameters are by now that were last touched at the steps `since`.

        `rates` are their groups' factors on the learning rate.
        """
        found: Floats = self.kept.values[since] * values
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            inverse = 1.0 / np.sqrt(second)
            moved = self.series[0].values[since]
            slow = np.flatnonzero(
                ~(self.series[1].values[since] * inverse <= TOLERANCE * moved) & (first != 0.0)
            )
            if slow.size:
                moved[slow] = self._moved(inverse[slow], since[slow])
            found -= np.where(first != 0.0, rates * first * inverse * moved, 0.0)
        slow = slow[np.isnan(moved[slow])]
        if slow.size:
            found[slow] = self._walked(
                values[slow], first[slow], second[slow], rates[slow], since[slow]
            )
        return found

    def _moved(self, inverse: Floats, since: Narrow) -> Floats:
        """The sum of the series; NaN where it does not converge."""
        terms = [column.values[since] * (-inverse) ** n for n, column in enumerate(self.series)]
        exact = np.abs(terms[-1]) <= TOLERANCE * terms[0]
        found: Floats = np.where(exact, sum(terms[:-1]), np.nan)
        return found

    def _walked(
        self, values: Floats, first: Floats, second: Floats, rates: Floats, since: Narrow
    ) -> Floats:
        """Step by step, where eps is not small beside the gradient."""
        for step in range(int(since.min()) + 1, self.step + 1):
            lr, b1, b2, eps, decay = (float(column.values[step]) for column in self.params)
            on = since < step
            first, second = np.where(on, first * b1, first), np.where(on, second * b2, second)
            spread = np.sqrt(second / (1 - b2**step)) + eps
            moved = np.divide(first, spread, out=np.zeros_like(first), where=spread > 0)
            moved *= lr * rates / (1 - b1**step)
            values = np.where(on, values - lr * decay * values - moved, values)
            still = on.all() and decay == 0.0 and b1 * b1 < b2
            if still and bool((np.abs(moved) <= NOTHING_LEFT * np.abs(values)).all()):
                break
        return values

    def moments_after(self, first: Floats, second: Floats, since: Narrow) -> tuple[Floats, Floats]:
        """What is left of moments that were last touched at the steps `since`."""
        return first * self.first.values[since], second * self.second.values[since]

    def packed(self) -> NDArray[Any]:
        """[5, steps] the parameters of every step: all else follows from them."""
        return np.stack([column.values[1:] for column in self.params])

    @classmethod
    def from_packed(cls, params: NDArray[Any]) -> IdleSteps:
        """The same again."""
        found = cls()
        for values in params.T.tolist():
            found.record(dict(zip(PARAMS, values, strict=True)))
        return found
