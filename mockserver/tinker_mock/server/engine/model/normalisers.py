"""Exact normalisers of every context that lists anything.

    total(context) = total(shorter context) + sum over its entries of (weight - parent's weight)

so a normaliser costs what is listed, not the vocabulary.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tinker_mock.server.engine.model.context_tables import ContextTables, OrderTable
from tinker_mock.server.engine.model.frozen_model import FrozenModel
from tinker_mock.server.engine.model.keys import Floats

CANCELLATION = 1e-6
"""Below this share of its parent's total a context is summed over the whole vocabulary.

Its total is then a difference of two nearly equal numbers: of float64's 16 digits, some 6 are lost
at this share, and those that are left still sum to one within 1e-9.
"""


@dataclass(frozen=True)
class Normalisers:
    """Weights and their sums under one set of adapter weights at one temperature.

    `log_weight[o]` per entry of order o, before the grammar's factor; `ordinary` [rows] sums the
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
        frozen: FrozenModel,
        tables: ContextTables,
        shifts: Sequence[Floats],
        temperature: float = 1.0,
    ) -> Normalisers:
        """`shifts[o]`: what the adapter adds to each entry's logit at order o."""
        log_weight = _log_weights(tables, shifts, temperature)
        weight = tuple(np.exp(w) for w in log_weight)
        root = np.exp(frozen.prior.root[tables.orders[0].tokens] / temperature)
        ordinary = [np.array([frozen.root_total(temperature)])]
        grammar = [np.exp(frozen.prior.root[frozen.grammar.tokens] / temperature)[None, :]]
        for order, table in enumerate(tables.orders):
            above = root if order == 0 else weight[order - 1][table.parent]
            total, special = _totals(
                table, weight[order] - above, weight[order], order, ordinary[-1], grammar[-1]
            )
            if order == 0:
                ordinary, grammar = [total], [special]
            else:
                ordinary.append(total)
                grammar.append(special)
        normalisers = cls(
            temperature=temperature,
            log_weight=log_weight,
            weight=(weight[0], weight[1], weight[2]),
            ordinary=np.concatenate(ordinary),
            grammar=np.concatenate(grammar),
            factors=np.exp(frozen.grammar.log_weights / temperature),
        )
        _repair(frozen, tables, normalisers)
        return normalisers


def _log_weights(
    tables: ContextTables, shifts: Sequence[Floats], temperature: float
) -> tuple[Floats, Floats, Floats]:
    logits = [table.log_base for table in tables.orders]
    total = shifts[0]
    logits[0] = logits[0] + total
    for order in (1, 2):
        total = total[tables.orders[order].parent] + shifts[order]
        logits[order] = logits[order] + total
    if temperature != 1.0:
        logits = [logit / temperature for logit in logits]
    return logits[0], logits[1], logits[2]


def _totals(
    table: OrderTable,
    gain: Floats,
    weight: Floats,
    order: int,
    below: Floats,
    special_below: Floats,
) -> tuple[Floats, Floats]:
    up = table.parent_context if order else np.zeros(1, dtype=np.int64)
    total, special = below[up].copy(), special_below[up].copy()
    if table.keys.size:
        total += np.add.reduceat(np.where(table.column == 0, gain, 0.0), table.starts)
    marked = np.flatnonzero(table.column)
    special[table.context[marked], table.column[marked] - 1] = weight[marked]
    return total, special


def _repair(frozen: FrozenModel, tables: ContextTables, normalisers: Normalisers) -> None:
    """Sum over the whole vocabulary where subtraction lost the digits."""
    begin = 0
    below = np.array([frozen.root_total(normalisers.temperature)])
    for order, table in enumerate(tables.orders):
        total = normalisers.ordinary[begin : begin + table.contexts.size]
        up = table.parent_context if order else np.zeros(1, dtype=np.int64)
        # Not `total <= …`: a NaN compares false with everything and is repaired as well.
        for index in np.flatnonzero(~(total > CANCELLATION * below[up])):
            weights = np.exp(dense_log_weights(frozen, tables, normalisers, order, int(index)))
            total[index] = weights[frozen.column_of == 0].sum()
        below, begin = total, begin + table.contexts.size


def dense_log_weights(
    frozen: FrozenModel, tables: ContextTables, normalisers: Normalisers, order: int, index: int
) -> Floats:
    """[vocabulary] log weights of context `index` of `order`, before the grammar's factors."""
    full = frozen.prior.root / normalisers.temperature
    chain = []
    for shorter in range(order, -1, -1):
        chain.append((shorter, index))
        index = int(tables.orders[shorter].parent_context[index])
    for at_order, context in reversed(chain):
        table = tables.orders[at_order]
        if table.keys.size:
            span = table.entries_of(context)
            full[table.tokens[span]] = normalisers.log_weight[at_order][span]
    return full
