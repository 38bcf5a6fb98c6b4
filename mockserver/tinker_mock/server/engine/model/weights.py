"""Immutable weights: what a sampler or a checkpoint holds on to.

They keep the parameters only, packed into arrays (`Adapter.packed`): `format`, `vocabulary_size`,
and of every pair its order, the 64-bit names of its context and of the next shorter one (int64),
its token, whether it is a parameter, and its value (float32). What is needed to compute with them
is made when they are unpacked.
"""

from __future__ import annotations

from tinker_mock.server.engine.model.adapter import Adapter, AdapterShape, State
from tinker_mock.server.engine.model.context_tables import ContextTable
from tinker_mock.server.engine.model.parameters import Parameters


class Weights:
    """A snapshot of an adapter. Later training does not change it."""

    unpacked: Parameters | None = None
    """Ready to compute with, for a while after they were used."""

    def __init__(self, shape: AdapterShape, state: State) -> None:
        self.shape = shape
        self._state = state

    def __deepcopy__(self, memo: dict[int, object]) -> Weights:
        return self

    def unpack(self, untrained: ContextTable) -> Parameters:
        """The parameters again; refuses another vocabulary."""
        return Parameters(Adapter.from_packed(self.shape, untrained, self._state)[0])

    def state(self) -> State:
        """The packed arrays."""
        return dict(self._state)
