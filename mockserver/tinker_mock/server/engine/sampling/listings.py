"""What every context lists, laid out for drawing."""

from __future__ import annotations

from functools import cached_property

import numpy as np

from tinker_mock.server.engine.model.keys import Floats, Ints
from tinker_mock.server.engine.model.score import Scorer


class Listings:
    """The entries of all contexts end to end, `starts` [contexts + 1] cutting them.

    Only what may be sampled counts: ordinary tokens that exist. `running` [entries + 1] sums each
    entry's weight as a share of its context's (shares, so that a sum over all contexts keeps its
    digits). `listed` and `rest` [contexts] are the shares of the listed tokens and of all others.
    """

    def __init__(self, scorer: Scorer) -> None:
        table, normalisers = scorer.table, scorer.normalisers
        contexts = np.arange(table.contexts.size)
        entries, lengths = table.members.of(contexts)
        self.scorer = scorer
        self.entries = entries
        self.starts = np.concatenate([[0], np.cumsum(lengths)])
        self.tokens = table.token.values[entries]
        self.ordinary = table.column.values[entries] == 0
        usable = self.ordinary & (self.tokens < scorer.frozen.tokenizer_size)
        weight = normalisers.weight[entries]
        total = np.repeat(normalisers.ordinary, lengths)
        shares = np.where(usable, weight / total, 0.0)
        self.running = np.concatenate([[0.0], np.cumsum(shares)])
        self.listed = self.running[self.starts[1:]] - self.running[self.starts[:-1]]
        above = np.concatenate(
            [
                [scorer.frozen.root_total(normalisers.temperature)],
                normalisers.ordinary[table.context_parent.values[1:]],
            ]
        )
        covered = np.zeros(contexts.size)
        if entries.size:
            some = lengths > 0
            parents = np.where(self.ordinary, self._parent_weights(entries), 0.0)
            covered[some] = np.add.reduceat(parents, self.starts[:-1][some])
        # A difference of equal sums may come out as -1e-17, and nothing weighs less than 0.
        self.rest = np.maximum(above - covered, 0.0) / normalisers.ordinary

    def _parent_weights(self, entries: Ints) -> Floats:
        table, normalisers = self.scorer.table, self.scorer.normalisers
        parents = table.parent.values[entries]
        root = np.exp(table.log_base.values[entries] / normalisers.temperature)
        found: Floats = np.where(parents >= 0, normalisers.weight[parents], root)
        return found

    def span(self, context: int) -> slice:
        """Where a context's entries are."""
        return slice(int(self.starts[context]), int(self.starts[context + 1]))

    @cached_property
    def root_cumulative(self) -> Floats:
        """[tokenizer_size] running sum of the frozen model's root weights."""
        return self.scorer.frozen.root_cumulative(self.scorer.normalisers.temperature)
