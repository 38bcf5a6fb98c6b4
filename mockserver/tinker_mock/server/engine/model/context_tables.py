"""The contexts that differ from the root distribution, and their exact normalisers.

Order 0 lists tokens, order 1 (last, token) pairs, order 2 (last, before, token) triples. Each
entry has its parent, the same token in the next shorter context, so that

    mass(context) = mass(shorter context) + sum over its entries of (weight - parent's weight)

and a step costs the size of what is listed, not the vocabulary.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tinker_mock.server.engine.model.keys import Floats, Ints, distinct, find, segment_starts

if TYPE_CHECKING:
    from tinker_mock.server.engine.model.base_model import BaseModel

ORDERS = 3
CANCELLATION = 1e-6
"""Below this share of its parent's mass a context is summed over the whole vocabulary."""


@dataclass(frozen=True)
class Level:
    """One order's entries, sorted by key.

    `context` indexes `contexts`; `parent` the lower level's entries; `parent_context` (one per
    context) the lower level's contexts; `column` is the token's grammar column.
    """

    keys: Ints
    tokens: Ints
    column: Ints
    parent: Ints
    log_base: Floats
    contexts: Ints
    starts: Ints
    context: Ints
    parent_context: Ints


@dataclass(frozen=True)
class Lattice:
    """The three levels. A context's row is 0, 1 + order-1 index, or 1 + C1 + order-2 index."""

    levels: tuple[Level, Level, Level]

    @classmethod
    def build(cls, base: BaseModel, trained: Sequence[Ints]) -> Lattice:
        """Entries of the prior and of the trained keys per order, closed under shortening."""
        prior, space = base.prior, base.space
        extra = [*trained] if trained else [np.zeros(0, dtype=np.int64)] * ORDERS
        keys2 = distinct(prior.triples.keys, extra[2])
        keys1 = distinct(prior.pairs.keys, extra[1], space.shorten(keys2, 2))
        keys0 = distinct(base.grammar.tokens, extra[0], space.shorten(keys1, 1))
        level0 = _level(base, 0, keys0, None)
        level1 = _level(base, 1, keys1, level0)
        return cls((level0, level1, _level(base, 2, keys2, level1)))

    @property
    def rows(self) -> int:
        return sum(level.contexts.size for level in self.levels)

    def row_of(self, last: Ints, context: Ints) -> Ints:
        """The row that normalises each context; `context` packs (last, before)."""
        first, second = self.levels[1], self.levels[2]
        at1 = find(first.contexts, last)
        at2 = find(second.contexts, context)
        return np.where(at2 >= 0, 1 + first.contexts.size + at2, 1 + at1)


def _level(base: BaseModel, order: int, keys: Ints, below: Level | None) -> Level:
    space = base.space
    tokens = space.token_of(keys)
    context_keys = space.context_of(keys)
    starts = segment_starts(context_keys)
    contexts = context_keys[starts] if order else np.zeros(1, dtype=np.int64)
    if order == 0:
        starts = np.zeros(min(1, keys.size), dtype=np.int64)
    lengths = np.diff(np.r_[starts, keys.size])
    context = np.repeat(np.arange(starts.size), lengths)
    if below is None:
        parent = np.full(keys.size, -1, dtype=np.int64)
        parent_context = np.full(contexts.size, -1, dtype=np.int64)
    else:
        parent = find(below.keys, space.shorten(keys, order))
        parent_context = below.context[parent[starts]]
    return Level(
        keys=keys,
        tokens=tokens,
        column=base.column_of[tokens],
        parent=parent,
        log_base=base.prior.log_weight(order, keys, space),
        contexts=contexts,
        starts=starts,
        context=context,
        parent_context=parent_context,
    )


@dataclass(frozen=True)
class Masses:
    """Weights and normalisers of one set of adapter weights at one temperature.

    `log_weight[o]` per entry of level o, before the grammar's factor; `ordinary` [rows] sums the
    ordinary tokens' weights; `grammar` [rows, G] holds each grammar token's weight; `factors`
    [states, 1 + G] the grammar's factors. Everything is raised to `1 / temperature`.
    """

    temperature: float
    log_weight: tuple[Floats, Floats, Floats]
    weight: tuple[Floats, Floats, Floats]
    ordinary: Floats
    grammar: Floats
    factors: Floats

    @classmethod
    def of(
        cls,
        base: BaseModel,
        lattice: Lattice,
        shifts: Sequence[Floats] | None,
        temperature: float = 1.0,
    ) -> Masses:
        """`shifts[o]`: what the adapter adds to each entry's logit at order o, None for nothing."""
        log_weight = _log_weights(lattice, shifts, temperature)
        weight = tuple(np.exp(w) for w in log_weight)
        root = np.exp(base.prior.root[lattice.levels[0].tokens] / temperature)
        ordinary = [np.array([base.root_mass(temperature)])]
        grammar = [np.exp(base.prior.root[base.grammar.tokens] / temperature)[None, :]]
        for order, level in enumerate(lattice.levels):
            above = root if order == 0 else weight[order - 1][level.parent]
            mass, special = _level_masses(
                level, weight[order] - above, weight[order], order, ordinary[-1], grammar[-1]
            )
            if order == 0:
                ordinary, grammar = [mass], [special]
            else:
                ordinary.append(mass)
                grammar.append(special)
        masses = cls(
            temperature=temperature,
            log_weight=log_weight,
            weight=(weight[0], weight[1], weight[2]),
            ordinary=np.concatenate(ordinary),
            grammar=np.concatenate(grammar),
            factors=np.exp(base.grammar.log_weights / temperature),
        )
        _repair(base, lattice, masses)
        return masses


def _log_weights(
    lattice: Lattice, shifts: Sequence[Floats] | None, temperature: float
) -> tuple[Floats, Floats, Floats]:
    logits = [level.log_base for level in lattice.levels]
    if shifts is not None:
        total = shifts[0]
        logits[0] = logits[0] + total
        for order in (1, 2):
            total = total[lattice.levels[order].parent] + shifts[order]
            logits[order] = logits[order] + total
    if temperature != 1.0:
        logits = [logit / temperature for logit in logits]
    return logits[0], logits[1], logits[2]


def _level_masses(
    level: Level, gain: Floats, weight: Floats, order: int, below: Floats, special_below: Floats
) -> tuple[Floats, Floats]:
    up = level.parent_context if order else np.zeros(1, dtype=np.int64)
    mass, special = below[up].copy(), special_below[up].copy()
    if level.keys.size:
        mass += np.add.reduceat(np.where(level.column == 0, gain, 0.0), level.starts)
    marked = np.flatnonzero(level.column)
    special[level.context[marked], level.column[marked] - 1] = weight[marked]
    return mass, special


def _repair(base: BaseModel, lattice: Lattice, masses: Masses) -> None:
    """Sum over the whole vocabulary where subtraction lost the digits."""
    offset = 0
    below = np.array([base.root_mass(masses.temperature)])
    for order, level in enumerate(lattice.levels):
        mass = masses.ordinary[offset : offset + level.contexts.size]
        up = level.parent_context if order else np.zeros(1, dtype=np.int64)
        for index in np.flatnonzero(~(mass > CANCELLATION * below[up])):
            weights = np.exp(dense_log_weights(base, lattice, masses, order, int(index)))
            mass[index] = weights[base.column_of == 0].sum()
        below, offset = mass, offset + level.contexts.size


def dense_log_weights(
    base: BaseModel, lattice: Lattice, masses: Masses, order: int, index: int
) -> Floats:
    """[vocabulary] log weights of context `index` of `order`, before the grammar's factors."""
    full = base.prior.root / masses.temperature
    chain = []
    for level_order in range(order, -1, -1):
        chain.append((level_order, index))
        index = int(lattice.levels[level_order].parent_context[index])
    for level_order, at in reversed(chain):
        level = lattice.levels[level_order]
        if level.keys.size:
            end = level.starts[at + 1] if at + 1 < level.starts.size else level.keys.size
            span = slice(level.starts[at], end)
            full[level.tokens[span]] = masses.log_weight[level_order][span]
    return full
