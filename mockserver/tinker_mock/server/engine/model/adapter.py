"""The trainable part: one number per (context, token) pair seen in training.

Order 0 shifts a token's logit everywhere (`train_unembed`), order 1 after one token (`train_mlp`),
orders 2 and 3 after two tokens and four (`train_attn`), the longest after sixteen and after one
whole prefix (any of them: the frozen parts know these, and each part can act on what they know).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinker_mock.server.engine.errors import EngineError
from tinker_mock.server.engine.model.columns import Column
from tinker_mock.server.engine.model.context_tables import ROOT, ContextTable, Rows
from tinker_mock.server.engine.model.frozen_model import FrozenModel
from tinker_mock.server.engine.model.hashing import Hashes, entry_keys
from tinker_mock.server.engine.model.keys import Floats, Ints
from tinker_mock.server.engine.model.normalisers import GAIN

RATE = (1920.0, 7680.0, 16000.0, 16000.0, 32000.0, 32000.0)
"""Per order: what Adam's learning rate is multiplied by, as for parameter groups of their own.

It makes learning rates of 1e-4 to 1e-3 visible: Adam moves a parameter by about the learning rate.
"""

MAX_SHIFT = 30.0
"""No single order shifts a logit by more than this, so that everything stays finite."""

MAX_VALUE = MAX_SHIFT / GAIN

PAIRS_PER_RANK = 16384
"""How many pairs per order one unit of LoRA rank can hold; later ones are not admitted."""

LONG = 4
"""From this order on contexts are remembered whichever part is trained."""

FORMAT = 2
"""Of the packed arrays; those of format 1 had contexts of two tokens at most."""

State = dict[str, NDArray[Any]]


@dataclass(frozen=True)
class AdapterShape:
    """The LoRA choices that a user can see."""

    rank: int = 32
    seed: int = 0
    train_attn: bool = True
    train_mlp: bool = True
    train_unembed: bool = True

    def trains(self, order: int) -> bool:
        """Whether parameters of that order exist."""
        parts = (self.train_unembed, self.train_mlp, self.train_attn)
        return order >= LONG or parts[min(order, 2)]

    @property
    def capacity(self) -> int:
        return self.rank * PAIRS_PER_RANK


class History:
    """Every pair's row, whether it becomes a parameter, and its entry. Snapshots share the rows."""

    def __init__(self) -> None:
        self.rows: dict[str, Column[Any]] = {
            "pairs.orders": Column(np.zeros(0, dtype=np.int8)),
            "pairs.contexts": Column(np.zeros(0, dtype=np.int64)),
            "pairs.shorter": Column(np.zeros(0, dtype=np.int64)),
            "pairs.tokens": Column(np.zeros(0, dtype=np.int32)),
            "pairs.trained": Column(np.zeros(0, dtype=bool)),
        }
        self.entries: Column[np.int32] = Column(np.zeros(0, dtype=np.int32))

    def extend(self, rows: Rows, becomes: NDArray[np.bool_], entries: Ints) -> None:
        contexts, shorter = rows.contexts.view(np.int64), rows.shorter.view(np.int64)
        parts = (rows.orders, contexts, shorter, rows.tokens, becomes)
        for column, part in zip(self.rows.values(), parts, strict=True):
            column.extend(part)
        self.entries.extend(entries)

    def frozen(self) -> History:
        """The rows of now."""
        copy = History()
        copy.rows = {name: column.frozen() for name, column in self.rows.items()}
        copy.entries = self.entries.frozen()
        return copy

    def packed(self) -> State:
        """The rows as arrays."""
        return {name: column.values for name, column in self.rows.items()}


class Adapter:
    """The pairs that an adapter lists beside the frozen model's, and their parameters.

    `values` are aligned to the table's entries; `trained` marks those that are parameters.
    `history` is every pair in the order they came: from it the same pairs can be listed again.
    """

    def __init__(
        self,
        shape: AdapterShape,
        table: ContextTable,
        values: Column[np.float64],
        trained: Column[np.bool_],
        history: History,
    ) -> None:
        self.shape = shape
        self.table = table
        self.values = values
        self.trained = trained
        self.history = history
        orders = table.order.values[table.context.values[trained.values]]
        self.counts = np.bincount(orders, minlength=table.frozen.orders)

    @classmethod
    def empty(cls, shape: AdapterShape, table: ContextTable) -> Adapter:
        """No parameters: the frozen model alone."""
        size = table.entries.size
        trained = Column(np.zeros(size, dtype=bool))
        return cls(shape, table, Column(np.zeros(size)), trained, History())

    @property
    def frozen(self) -> FrozenModel:
        return self.table.frozen

    def snapshot(self, values: Floats) -> Adapter:
        """The adapter of now for readers, with the given parameters."""
        return Adapter(
            self.shape,
            self.table.branch(),
            Column(values),
            self.trained.branch(),
            self.history.frozen(),
        )

    def fit(self) -> None:
        """Room for what the table took over since: no parameters."""
        more = self.table.entries.size - self.values.size
        self.values.extend_by(more, 0.0)
        self.trained.extend_by(more, False)

    @property
    def revision(self) -> int:
        """How many rows there were: greater whenever a pair came or became a parameter."""
        return self.history.entries.size

    def values_of(self, entries: Ints) -> Floats:
        """The parameters of entries."""
        found: Floats = self.values.values.take(entries)
        return found

    def trained_among(self, entries: Ints) -> Ints:
        """The places of parameters among entries."""
        self.fit()
        return np.flatnonzero(self.trained.values.take(entries))

    def lacks(self, entries: Ints) -> NDArray[np.bool_]:
        """[M] whether a token's deepest entry (-1 for none) leaves parameters to be admitted."""
        top = max(order for order in range(self.frozen.orders) if self.shape.trains(order))
        order = self.table.order.values[self.table.context.values[entries]]
        found: NDArray[np.bool_] = (order < top) | ~self.trained.values[entries] | (entries < 0)
        return found

    def admit(self, keys: Hashes, tokens: Ints) -> None:
        """Add parameters (value 0) for tokens in the contexts of their chains, as far as the rank
        allows. `keys` [orders - 1, N] name the contexts, which the table was asked for before.

        Which pairs come in depends on the set of pairs alone, not on their order.
        """
        orders = keys.shape[0] + 1
        self.table.fetch_roots(tokens)
        self.fit()
        chains = np.concatenate([np.repeat(ROOT, tokens.size)[None], keys])
        names = [entry_keys(chains[order], tokens) for order in range(orders)]
        parts: list[Rows] = []
        becomes: list[NDArray[np.bool_]] = []
        needed = np.zeros(0, dtype=np.uint64)
        for order in reversed(range(orders)):
            fresh, first = np.unique(names[order], return_index=True)
            at = self.table.entries.find(fresh)
            wanted = self._room_for(order, fresh, at)
            kept = wanted | (np.isin(fresh, needed) & (at < 0))
            first = first[kept]
            shorter = chains[max(order - 1, 0), first]
            numbers = np.full(first.size, order)
            parts.append(Rows(numbers, chains[order, first], shorter, tokens[first]))
            becomes.append(wanted[kept])
            needed = names[max(order - 1, 0)][first]
        self.replay(Rows.joined(parts[::-1]), np.concatenate(becomes[::-1]))

    def _room_for(self, order: int, fresh: Hashes, at: Ints) -> NDArray[np.bool_]:
        """Which of the new pairs come in: the first by name, and names are scrambled."""
        if not self.shape.trains(order):
            return np.zeros(fresh.size, dtype=bool)
        wanted = (at < 0) | ~self.trained.values[at]
        room = max(self.shape.capacity - int(self.counts[order]), 0)
        return wanted & (np.cumsum(wanted) <= room)

    def replay(self, rows: Rows, becomes: NDArray[np.bool_]) -> Ints:
        """List the rows; those that become parameters get the value 0. Returns their entries."""
        entries = self.table.grow(rows)
        self.fit()
        self.trained.values[entries[becomes]] = True
        self.counts += np.bincount(rows.orders[becomes], minlength=self.counts.size)
        self.table.list_root(entries[becomes & (rows.orders == 0)])
        self.history.extend(rows, becomes, entries)
        return entries

    def packed(self) -> State:
        """The pairs as arrays, in the order they came; see `from_packed`."""
        return {
            "format": np.array([FORMAT]),
            "vocabulary_size": np.array([self.frozen.vocabulary_size]),
            **self.history.packed(),
            "pairs.values": self.values.values[self.history.entries.values].astype(np.float32),
        }

    @classmethod
    def from_packed(
        cls, shape: AdapterShape, table: ContextTable, state: Mapping[str, NDArray[Any]]
    ) -> tuple[Adapter, Ints]:
        """An adapter over the untrained model's table from packed arrays, and each row's entry.

        Refuses those of another vocabulary or format.
        """
        _check(table.frozen, state)
        adapter = cls.empty(shape, table.over())
        rows = Rows(
            np.asarray(state["pairs.orders"], dtype=np.int64),
            np.ascontiguousarray(state["pairs.contexts"]).view(np.uint64),
            np.ascontiguousarray(state["pairs.shorter"]).view(np.uint64),
            np.asarray(state["pairs.tokens"], dtype=np.int64),
        )
        adapter.table.fetch(np.concatenate([rows.contexts, rows.shorter]))
        adapter.table.fetch_roots(rows.tokens)
        entries = adapter.replay(rows, np.asarray(state["pairs.trained"], dtype=bool))
        adapter.values.values[entries] = state["pairs.values"]
        return adapter, entries


def _check(frozen: FrozenModel, state: Mapping[str, NDArray[Any]]) -> None:
    if "format" not in state or int(state["format"][0]) != FORMAT:
        raise EngineError(
            "path",
            "the checkpoint was written by an older release, whose model looked back two tokens "
            "only; its parameters mean something else here",
            "Train it again, or load it with the release that wrote it",
        )
    size = int(state["vocabulary_size"][0])
    if size != frozen.vocabulary_size:
        raise EngineError(
            "path",
            f"the checkpoint belongs to a vocabulary of {size} tokens, {frozen.name} has "
            f"{frozen.vocabulary_size}",
            "Load it into the base model it was trained from",
        )
