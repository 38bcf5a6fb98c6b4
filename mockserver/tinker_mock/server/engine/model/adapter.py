"""The trainable part: one number per (context, token) pair seen in training.

Order 0 shifts a token's logit everywhere (`train_unembed`), order 1 after one token
(`train_mlp`), order 2 after two (`train_attn`). Logit shift = `SCALE[order] * value`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from tinker_mock.server.engine.model.context_tables import ORDERS, ContextTables
from tinker_mock.server.engine.model.frozen_model import FrozenModel
from tinker_mock.server.engine.model.keys import Floats, Ints, distinct, find
from tinker_mock.server.engine.model.normalisers import Normalisers
from tinker_mock.server.engine.model.score import Scorer
from tinker_mock.server.lru import LruCache

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

    Arrays are aligned to the tables' entries; `trained[o]` marks those that are parameters.
    Scorers are made on demand and kept.
    """

    frozen: FrozenModel
    shape: AdapterShape
    tables: ContextTables
    values: tuple[Floats, Floats, Floats]
    trained: tuple[NDArray[np.bool_], NDArray[np.bool_], NDArray[np.bool_]]
    _scorers: LruCache[float, Scorer] = field(
        default_factory=lambda: LruCache(KEPT_TEMPERATURES), repr=False, compare=False
    )

    @classmethod
    def empty(cls, frozen: FrozenModel, shape: AdapterShape, tables: ContextTables) -> Parameters:
        """No parameters: the frozen model alone."""
        values = tuple(np.zeros(table.keys.size) for table in tables.orders)
        trained = tuple(np.zeros(table.keys.size, dtype=bool) for table in tables.orders)
        return cls(frozen, shape, tables, values, trained)  # type: ignore[arg-type]

    def scorer(self, temperature: float = 1.0) -> Scorer:
        """Log-probabilities at a temperature; the last few are kept."""
        return self._scorers.get_or_make(temperature, lambda: self._make_scorer(temperature))

    def _make_scorer(self, temperature: float) -> Scorer:
        normalisers = Normalisers.of(self.frozen, self.tables, self.shifts(), temperature)
        return Scorer(self.frozen, self.tables, normalisers)

    def shifts(self) -> list[Floats]:
        return [scale * value for scale, value in zip(SCALE, self.values, strict=True)]

    def trained_keys(self, order: int) -> Ints:
        return self.tables.orders[order].keys[self.trained[order]]

    def admit(self, wanted: Sequence[Ints]) -> tuple[Parameters, list[Ints]]:
        """Add parameters (value 0) for the wanted keys, as far as the rank allows.

        Returns the new weights and, per order, where each old entry went.
        """
        keys = [self._room_for(order, wanted[order]) for order in range(ORDERS)]
        missing = any(
            np.any(find(table.keys, key) < 0)
            for table, key in zip(self.tables.orders, keys, strict=True)
        )
        tables = self.tables
        if missing:
            known = [distinct(self.trained_keys(o), keys[o]) for o in range(ORDERS)]
            tables = ContextTables.build(self.frozen, known)
        moved, values, trained = [], [], []
        for order, table in enumerate(tables.orders):
            to = find(table.keys, self.tables.orders[order].keys)
            value, flag = np.zeros(table.keys.size), np.zeros(table.keys.size, dtype=bool)
            kept = to >= 0
            value[to[kept]] = self.values[order][kept]
            flag[to[kept]] = self.trained[order][kept]
            flag[find(table.keys, keys[order])] = True
            moved.append(to)
            values.append(value)
            trained.append(flag)
        grown = Parameters(
            self.frozen,
            self.shape,
            tables,
            (values[0], values[1], values[2]),
            (trained[0], trained[1], trained[2]),
        )
        return grown, moved

    def _room_for(self, order: int, wanted: Ints) -> Ints:
        if not self.shape.trained_orders[order]:
            return np.zeros(0, dtype=np.int64)
        at = find(self.tables.orders[order].keys, wanted)
        fresh = wanted[(at < 0) | ~self.trained[order][at]] if self.trained[order].size else wanted
        fresh = distinct(fresh)
        room = self.shape.capacity - int(self.trained[order].sum())
        if fresh.size > room:
            # Admission must not favour small ids: the keys are scrambled by an odd constant
            # (multiplicative hashing; int64 wraps around, as wanted), and the smallest come in.
            scrambled = np.argsort((fresh * np.int64(-7046029254386353131)).view(np.uint64))
            fresh = np.sort(fresh[scrambled[: max(room, 0)]])
        return fresh
