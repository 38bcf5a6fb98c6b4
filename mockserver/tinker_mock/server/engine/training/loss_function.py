"""What a loss is: the inputs and settings it takes, its value, its slopes."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from tinker_mock.server.engine.model.keys import Floats

Inputs = Mapping[str, Floats]
Settings = Mapping[str, float]


@dataclass(frozen=True)
class InputRule:
    """A float array, in the shape of the targets unless `rank` says any shape of that rank.

    `default` fills it in; without one it is required unless `optional`.
    """

    name: str
    default: float | None = None
    optional: bool = False
    rank: int | None = None


@dataclass(frozen=True)
class LossTerm:
    """One datum's part: its loss, dloss/dlogp in the shape of the targets, named metrics."""

    value: float
    slopes: Floats
    metrics: Mapping[str, float] = field(default_factory=dict)


class LossFunction(Protocol):
    """A loss over one datum. `matrix_targets` allows targets [N, K] besides [N]."""

    @property
    def name(self) -> str: ...
    @property
    def rules(self) -> tuple[InputRule, ...]: ...
    @property
    def settings(self) -> Mapping[str, float]: ...
    @property
    def matrix_targets(self) -> bool: ...

    def term(self, logprobs: Floats, inputs: Inputs, settings: Settings) -> LossTerm: ...


def as_floats(value: NDArray[Any]) -> Floats:
    return np.ascontiguousarray(value, dtype=np.float64)
