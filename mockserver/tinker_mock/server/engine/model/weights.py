"""Immutable weights: what a sampler or a checkpoint holds on to.

They keep the parameters only. What is needed to compute with them (contexts, normalisers, running
sums: some megabytes) is made on demand, and a base model keeps that for its latest few.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from tinker_mock.server.engine.checkpoints.checkpoint import (
    State,
    export_parameters,
    load_parameters,
)
from tinker_mock.server.engine.model.adapter import AdapterShape, Parameters
from tinker_mock.server.engine.model.score import Scorer
from tinker_mock.server.lru import Latest

if TYPE_CHECKING:
    from tinker_mock.server.engine.model.base_model import BaseModel

MOST_RESIDENT = 8


class Weights:
    """A snapshot of an adapter. Later training does not change it."""

    def __init__(self, base: BaseModel, shape: AdapterShape, state: State) -> None:
        self.base = base
        self.shape = shape
        self._state = state

    @classmethod
    def of(cls, parameters: Parameters) -> Weights:
        """The parameters as they are; their computed tables are at hand for a while."""
        weights = cls(parameters.base, parameters.shape, export_parameters(parameters))
        parameters.base.residents.keep(weights, parameters)
        return weights

    def __deepcopy__(self, memo: dict[int, object]) -> Weights:
        return self

    def scorer(self, temperature: float = 1.0) -> Scorer:
        """A scorer at a temperature."""
        return self.base.residents.of(self).scorer(temperature)

    def parameters(self) -> Parameters:
        """The weights unpacked."""
        return load_parameters(self.base, self.shape, self._state)

    def state(self) -> State:
        """The arrays of a checkpoint without optimizer."""
        return dict(self._state)


class Residents:
    """The unpacked forms of the weights used last."""

    def __init__(self) -> None:
        self._kept: Latest[Weights, Parameters] = Latest(MOST_RESIDENT)

    def keep(self, weights: Weights, parameters: Parameters) -> None:
        self._kept.keep(weights, parameters)

    def of(self, weights: Weights) -> Parameters:
        """The weights' unpacked form, unpacked again if it was dropped."""
        return self._kept.get(weights, weights.parameters)


def export_weights(weights: Weights) -> State:
    """The arrays of a checkpoint without optimizer."""
    return weights.state()


def import_weights(
    base: BaseModel, shape: AdapterShape, state: Mapping[str, NDArray[Any]]
) -> Weights:
    """Weights from a checkpoint's arrays; refuses those of another vocabulary."""
    return Weights.of(load_parameters(base, shape, state))
