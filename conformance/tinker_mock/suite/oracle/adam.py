"""AdamW of one parameter (Kingma & Ba 2015, Loshchilov & Hutter 2019), as AdamParams words it."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Step:
    """One step: its gradient, and the parameters it is told."""

    gradient: float
    rate: float
    beta1: float = 0.0
    beta2: float = 0.0
    eps: float = 0.0
    decay: float = 0.0


def travelled(steps: Sequence[Step], start: float = 0.0) -> float:
    """Where a parameter is after the steps."""
    value, first, second = start, 0.0, 0.0
    for number, step in enumerate(steps, 1):
        first = step.beta1 * first + (1 - step.beta1) * step.gradient
        second = step.beta2 * second + (1 - step.beta2) * step.gradient**2
        mean = first / (1 - step.beta1**number)
        spread = (second / (1 - step.beta2**number)) ** 0.5 + step.eps
        value *= 1 - step.rate * step.decay
        value -= step.rate * mean / spread if spread else 0.0
    return value
