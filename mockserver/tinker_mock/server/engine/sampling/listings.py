"""What contexts list, laid out for drawing."""

from __future__ import annotations

from functools import cached_property

import numpy as np

from tinker_mock.server.engine.model.columns import Column
from tinker_mock.server.engine.model.keys import Bools, Floats, Ints
from tinker_mock.server.engine.model.score import Scorer

SHARE = 2.0**42
"""What a whole context weighs in running sums. They are whole numbers, so that what is drawn from a
context does not depend on what was laid out before it; two million contexts fit in 63 bits."""


class Listings:
    """The entries of the contexts that were asked for, end to end.

    Only what may be sampled counts: ordinary tokens that exist. `running` [entries + 1] sums each
    entry's share of its context's weight. Per context: where its entries begin and end (-1 before
    it is laid out), and the shares `listed` of the listed tokens and `rest` of all others.
    """

    def __init__(self, scorer: Scorer) -> None:
        self.scorer = scorer
        self.entries = Column(np.zeros(0, dtype=np.int32))
        self.tokens = Column(np.zeros(0, dtype=np.int32))
        self.ordinary = Column(np.zeros(0, dtype=bool))
        self.running = Column(np.zeros(1, dtype=np.int64))
        self.starts = Column(np.zeros(0, dtype=np.int32))
        self.ends = Column(np.zeros(0, dtype=np.int32))
        self.listed, self.rest = Column(np.zeros(0)), Column(np.zeros(0))
        self.include(scorer.deepest(np.zeros((scorer.frozen.orders - 1, 1), dtype=np.uint64)))

    def include(self, deepest: Ints) -> None:
        """Lay out these contexts and all shorter ones, and what else the scorer has ready."""
        if deepest.max() < self.ends.size and self.ends.values[deepest].min() >= 0:
            return
        assert self.scorer.lock is not None
        with self.scorer.lock:
            more = self.scorer.ready.size - self.ends.size
            for column, value in ((self.starts, -1), (self.listed, 0.0), (self.rest, 0.0)):
                column.extend_by(more, value)
            self.ends.extend_by(more, -1)
            self._lay_out(np.flatnonzero(self.scorer.ready & (self.ends.values < 0)))

    def _lay_out(self, contexts: Ints) -> None:
        table, normalisers = self.scorer.table, self.scorer.normalisers
        entries, lengths = table.members.of(contexts)
        ends = np.cumsum(lengths)
        tokens, ordinary = table.token.values[entries], table.column.values[entries] == 0
        usable = ordinary & (tokens < self.scorer.frozen.tokenizer_size)
        total = normalisers.ordinary[contexts]
        shares = np.where(usable, normalisers.weight[entries] / np.repeat(total, lengths), 0.0)
        running = np.zeros(entries.size + 1, dtype=np.int64)
        np.cumsum(np.rint(shares * SHARE).astype(np.int64), out=running[1:])
        begin, begun = self.entries.size, self.running.values[-1]
        self.entries.extend(entries)
        self.tokens.extend(tokens)
        self.ordinary.extend(ordinary)
        self.running.extend(begun + running[1:])
        self.starts.values[contexts] = begin + ends - lengths
        self.listed.values[contexts] = (running[ends] - running[ends - lengths]) / SHARE
        self.rest.values[contexts] = self._rest(contexts, entries, lengths, ordinary)
        self.ends.values[contexts] = begin + ends  # the last: other threads may draw from here on

    def _rest(self, contexts: Ints, entries: Ints, lengths: Ints, ordinary: Bools) -> Floats:
        """The share of what a context does not list."""
        table, normalisers = self.scorer.table, self.scorer.normalisers
        parents = table.context_parent.values[contexts]
        root = self.scorer.frozen.root_total(normalisers.temperature)
        above = np.where(parents < 0, root, normalisers.ordinary[parents])
        covered, some = np.zeros(contexts.size), lengths > 0
        if entries.size:
            weights = np.where(ordinary, self._parent_weights(entries), 0.0)
            covered[some] = np.add.reduceat(weights, (np.cumsum(lengths) - lengths)[some])
        # A difference of equal sums may come out as -1e-17, and nothing weighs less than 0.
        found: Floats = np.maximum(above - covered, 0.0) / normalisers.ordinary[contexts]
        return found

    def _parent_weights(self, entries: Ints) -> Floats:
        table, normalisers = self.scorer.table, self.scorer.normalisers
        parents = table.parent.values[entries]
        root = np.exp(table.log_base.values[entries] / normalisers.temperature)
        found: Floats = np.where(parents >= 0, normalisers.weight[parents], root)
        return found

    def span(self, context: int) -> slice:
        """Where a context's entries are."""
        return slice(int(self.starts.values[context]), int(self.ends.values[context]))

    @cached_property
    def root_cumulative(self) -> Floats:
        """[tokenizer_size] running sum of the frozen model's root weights."""
        return self.scorer.frozen.root_cumulative(self.scorer.normalisers.temperature)
