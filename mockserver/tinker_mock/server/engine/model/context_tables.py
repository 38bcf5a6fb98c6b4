"""Which tokens each context lists: those whose weight differs from the next shorter context's.

Order 0 lists tokens, order 1 (last, token) pairs, order 2 (last, before, token) triples. Each
entry has its parent, the same token in the next shorter context. What a context does not list
weighs what it weighs there, as in a back-off n-gram model.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tinker_mock.server.engine.model.frozen_model import FrozenModel
from tinker_mock.server.engine.model.keys import Floats, Ints, distinct, find, segment_starts

ORDERS = 3


@dataclass(frozen=True)
class OrderTable:
    """One order's entries, sorted by key.

    `context` indexes `contexts`; `parent` the lower order's entries; `parent_context` (one per
    context) the lower order's contexts; `starts` begins each context's run of entries; `column` is
    the token's grammar column.
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

    def entries_of(self, context: int) -> slice:
        """The run of entries that one context lists."""
        last = context + 1 == self.starts.size
        return slice(
            int(self.starts[context]), self.keys.size if last else int(self.starts[context + 1])
        )


@dataclass(frozen=True)
class ContextTables:
    """One table per order. A context's row is 0, 1 + order-1 index, or 1 + C1 + order-2 index."""

    orders: tuple[OrderTable, OrderTable, OrderTable]

    @classmethod
    def build(cls, frozen: FrozenModel, trained: Sequence[Ints]) -> ContextTables:
        """Entries of the prior and of the trained keys per order, closed under shortening."""
        prior, space = frozen.prior, frozen.space
        extra = [*trained] if trained else [np.zeros(0, dtype=np.int64)] * ORDERS
        keys2 = distinct(prior.triples.keys, extra[2])
        keys1 = distinct(prior.pairs.keys, extra[1], space.shorten(keys2, 2))
        keys0 = distinct(frozen.grammar.tokens, extra[0], space.shorten(keys1, 1))
        table0 = _table(frozen, 0, keys0, None)
        table1 = _table(frozen, 1, keys1, table0)
        return cls((table0, table1, _table(frozen, 2, keys2, table1)))

    def row_of(self, last: Ints, context: Ints) -> Ints:
        """The row that normalises each context; `context` packs (last, before)."""
        first, second = self.orders[1], self.orders[2]
        at1 = find(first.contexts, last)
        at2 = find(second.contexts, context)
        return np.where(at2 >= 0, 1 + first.contexts.size + at2, 1 + at1)


def _table(frozen: FrozenModel, order: int, keys: Ints, below: OrderTable | None) -> OrderTable:
    space = frozen.space
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
    return OrderTable(
        keys=keys,
        tokens=tokens,
        column=frozen.column_of[tokens],
        parent=parent,
        log_base=frozen.prior.log_weight(order, keys, space),
        contexts=contexts,
        starts=starts,
        context=context,
        parent_context=parent_context,
    )
