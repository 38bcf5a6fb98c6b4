"""How far numbers may be apart that should be equal, by the precision a server computes in."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike


@dataclass(frozen=True)
class Tolerance:
    """`relative` is of the larger of both sizes, `absolute` in nats."""

    relative: float
    absolute: float

    def worst(self, actual: ArrayLike, expected: ArrayLike, size: float = 0.0) -> float:
        """By how many tolerances two arrays differ at most; above 1 they are not equal.

        `size` is how large such numbers are, where the numbers themselves may be near 0.
        """
        left, right = np.asarray(actual, np.float64), np.asarray(expected, np.float64)
        if left.shape != right.shape or not np.isfinite(left).all():
            return float("inf")
        scale = np.maximum(np.maximum(np.abs(left), np.abs(right)), size)
        gaps = np.abs(left - right) / (self.absolute + self.relative * scale)
        return float(gaps.max(initial=0.0))


PRECISIONS = {"float32": Tolerance(2e-3, 3e-5), "bfloat16": Tolerance(6e-2, 5e-2)}
