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

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinker_mock.server.engine.model.keys import Floats, Narrow

TERMS = 5
"""Of the power series; the last one tells how much is missing."""

TOLERANCE = 1e-13
NOTHING_LEFT = 1e-20

PARAMS = ("learning_rate", "beta1", "beta2", "eps", "weight_decay")


PRODUCTS, SERIES, TOLD = slice(0, 3), slice(3, 3 + TERMS), slice(3 + TERMS, None)


class IdleSteps:
    """Per step t0: the products of beta1, beta2 and decay since, and the series' coefficients."""

    def __init__(self) -> None:
        self._room = np.zeros((3 + TERMS + len(PARAMS), 8))
        self._room[PRODUCTS, 0] = 1.0
        self._size = 1
        self.decays = False
        self._coasting = 0

    @property
    def step(self) -> int:
        """How many steps there were."""
        return self._size - 1

    @property
    def _rows(self) -> Floats:
        """[products, series and parameters, steps + 1]."""
        return self._room[:, : self._size]

    def record(self, params: Mapping[str, float]) -> None:
        """One more step, for all that it leaves untouched."""
        b1, b2, rate = params["beta1"], params["beta2"], params["learning_rate"]
        step, kept = self.step + 1, 1 - rate * params["weight_decay"]
        first, second, left, *_ = rows = self._rows
        first *= b1
        second *= b2
        begin = self._coasting
        self.decays = self.decays or kept != 1.0
        if kept != 1.0:
            left *= kept
            rows[SERIES] *= kept
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            root = np.sqrt(second[begin:] / (1 - b2**step))
            moved = (rate / (1 - b1**step)) * first[begin:] / root
            share = params["eps"] / root
            for power, series in enumerate(rows[SERIES, begin:]):
                series += moved * share**power
            done = np.flatnonzero(~(moved <= NOTHING_LEFT * rows[SERIES, begin:][0]))
        self._coasting = begin + int(done[0]) if done.size else self._size
        self._append([params[name] for name in PARAMS])

    def _append(self, told: Sequence[float]) -> None:
        if self._size == self._room.shape[1]:
            self._room = np.concatenate([self._room, np.zeros_like(self._room)], axis=1)
        self._room[PRODUCTS, self._size] = 1.0
        self._room[TOLD, self._size] = told
        self._size += 1

    def values_after(
        self, values: Floats, first: Floats, second: Floats, rates: Floats, since: Narrow
    ) -> Floats:
        """Where parameters are by now that were last touched at the steps `since`.

        `rates` are their groups' factors on the learning rate.
        """
        kept, series = self._rows[2], self._rows[SERIES]
        found: Floats = kept.take(since) * values
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            inverse = 1.0 / np.sqrt(second)
            moved = series[0].take(since)
            slow = np.flatnonzero(
                ~(series[1].take(since) * inverse <= TOLERANCE * moved) & (first != 0.0)
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
        first, *others = (column.take(since) for column in self._rows[SERIES])
        total, power, term = np.zeros(inverse.size), np.ones(inverse.size), first
        for factor in others:
            total += term
            power *= -inverse
            term = factor * power
        exact = np.abs(term) <= TOLERANCE * first
        found: Floats = np.where(exact, total, np.nan)
        return found

    def _walked(
        self, values: Floats, first: Floats, second: Floats, rates: Floats, since: Narrow
    ) -> Floats:
        """Step by step, where eps is not small beside the gradient."""
        for step in range(int(since.min()) + 1, self.step + 1):
            lr, b1, b2, eps, decay = self._rows[TOLD, step].tolist()
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
        return first * self._rows[0].take(since), second * self._rows[1].take(since)

    def packed(self) -> NDArray[Any]:
        """[5, steps] the parameters of every step: all else follows from them."""
        return self._rows[TOLD, 1:].copy()

    @classmethod
    def from_packed(cls, params: NDArray[Any]) -> IdleSteps:
        """The same again."""
        found = cls()
        for values in params.T.tolist():
            found.record(dict(zip(PARAMS, values, strict=True)))
        return found
