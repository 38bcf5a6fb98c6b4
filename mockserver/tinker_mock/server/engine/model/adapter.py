"""The trainable part: one number per (context, token) pair seen in training.

Order 0 shifts a token's logit everywhere (`train_unembed`), order 1 after one token
(`train_mlp`), order 2 after two (`train_attn`). Logit shift = `SCALE[order] * value`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from tinker_mock.server.engine.model.context_tables import ORDERS, Lattice, Masses
from tinker_mock.server.engine.model.keys import Floats, Ints, distinct, find
from tinker_mock.server.engine.model.score import Scorer
from tinker_mock.server.lru import Latest

if TYPE_CHECKING:
    from tinker_mock.server.engine.model.base_model import BaseModel

SCALE = (60.0, 240.0, 500.0)
"""Makes learning rates of 1e-4 to 1e-3 visible: Adam moves a value by about the learning rate."""

MAX_SHIFT = 30.0
"""No single order shifts a logit by more than this, so that everything stays finite."""

KEPT_TEMPERATURES = 4

PAIRS_PER_RANK = 16384
"""How many pairs per order one unit of LoRA rank can hold; later ones are not admitted."""


@dataclass(frozen=True)
class AdapterShape:
    """The LoRA choices that a user can see."""

    rank: int = 32
    seed: int = 0
    train_attn: bool = True
    train_mlp: bool = True
    train_unembed: bool = True

    @property
    def trained_orders(self) -> tuple[bool, bool, bool]:
        return (self.train_unembed, self.train_mlp, self.train_attn)

    @property
    def capacity(self) -> int:
        return self.rank * PAIRS_PER_RANK


@dataclass
class Parameters:
    """One state of an adapter, ready to compute with; never changed in place.

    Arrays are aligned to the lattice's entries; `trained[o]` marks those that are parameters.
    Scorers are made on demand and kept.
    """

    base: BaseModel
    shape: AdapterShape
    lattice: Lattice
    values: tuple[Floats, Floats, Floats]
    trained: tuple[NDArray[np.bool_], NDArray[np.bool_], NDArray[np.bool_]]
    _scorers: Latest[float, Scorer] = field(
        default_factory=lambda: Latest(KEPT_TEMPERATURES), repr=False, compare=False
    )

    @classmethod
    def initial(cls, base: BaseModel, shape: AdapterShape) -> Parameters:
        """No parameters: the base model."""
        lattice = base.bare_lattice
        values = tuple(np.zeros(level.keys.size) for level in lattice.levels)
        trained = tuple(np.zeros(level.keys.size, dtype=bool) for level in lattice.levels)
        return cls(base, shape, lattice, values, trained)  # type: ignore[arg-type]

    def masses(self, temperature: float = 1.0) -> Masses:
        """The normalisers at a temperature."""
        return self.scorer(temperature).masses

    def scorer(self, temperature: float = 1.0) -> Scorer:
        """A scorer at a temperature, with its draw tables and heads; the last few are kept."""
        return self._scorers.get(temperature, lambda: self._make_scorer(temperature))

    def _make_scorer(self, temperature: float) -> Scorer:
        masses = Masses.of(self.base, self.lattice, self.shifts(), temperature)
        return Scorer(self.base, self.lattice, masses)

    def shifts(self) -> list[Floats]:
        return [scale * value for scale, value in zip(SCALE, self.values, strict=True)]

    def trained_keys(self, order: int) -> Ints:
        return self.lattice.levels[order].keys[self.trained[order]]

    def admit(self, wanted: Sequence[Ints]) -> tuple[Parameters, list[Ints]]:
        """Add parameters (value 0) for the wanted keys, as far as the rank allows.

        Returns the new weights and, per order, where each old entry went.
        """
        keys = [self._room_for(order, wanted[order]) for order in range(ORDERS)]
        missing = any(
            np.any(find(level.keys, key) < 0)
            for level, key in zip(self.lattice.levels, keys, strict=True)
        )
        lattice = self.lattice
        if missing:
            known = [distinct(self.trained_keys(o), keys[o]) for o in range(ORDERS)]
            lattice = Lattice.build(self.base, known)
        moved, values, trained = [], [], []
        for order, level in enumerate(lattice.levels):
            to = find(level.keys, self.lattice.levels[order].keys)
            value, flag = np.zeros(level.keys.size), np.zeros(level.keys.size, dtype=bool)
            kept = to >= 0
            value[to[kept]] = self.values[order][kept]
            flag[to[kept]] = self.trained[order][kept]
            flag[find(level.keys, keys[order])] = True
            moved.append(to)
            values.append(value)
            trained.append(flag)
        grown = Parameters(
            self.base,
            self.shape,
            lattice,
            (values[0], values[1], values[2]),
            (trained[0], trained[1], trained[2]),
        )
        return grown, moved

    def _room_for(self, order: int, wanted: Ints) -> Ints:
        if not self.shape.trained_orders[order]:
            return np.zeros(0, dtype=np.int64)
        at = find(self.lattice.levels[order].keys, wanted)
        fresh = wanted[(at < 0) | ~self.trained[order][at]] if self.trained[order].size else wanted
        fresh = distinct(fresh)
        room = self.shape.capacity - int(self.trained[order].sum())
        if fresh.size > room:
            scrambled = np.argsort((fresh * np.int64(-7046029254386353131)).view(np.uint64))
            fresh = np.sort(fresh[scrambled[: max(room, 0)]])
        return fresh
