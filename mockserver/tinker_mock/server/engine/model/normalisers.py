"""Exact normalisers of contexts.

    total(context) = total(parent) + sum over its entries of (weight - parent entry's weight)

so a normaliser costs what is listed, not the vocabulary.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from tinker_mock.server.engine.model.columns import Column
from tinker_mock.server.engine.model.context_tables import ContextTable
from tinker_mock.server.engine.model.keys import Floats, Ints
from tinker_mock.server.engine.model.layouts import Layout, ParameterValues, laid_out
from tinker_mock.server.engine.model.numbering import Numbering

GAIN = 1 / 32
"""What a parameter of 1 adds to a logit: gradients then have norms that LoRA's have."""

CANCELLATION = 1e-6
"""Below this share of the largest total on its way a context is summed over the vocabulary.

Its total is then a difference of two nearly equal numbers: of float64's 16 digits, some 6 are lost
at this share, and those that are left still sum to one within 1e-9.
"""


@dataclass(frozen=True)
class Prepared:
    """A layout's entries with their weights: per entry its `shift`, its `weight` and its parent's,
    `above`; `values` are those of its parameters. `shift` has a 0 more at its end."""

    layout: Layout
    values: Floats
    shift: Floats
    weight: Floats
    above: Floats


class Normalisers:
    """Weights and their sums at one temperature, for the contexts that were prepared.

    Per entry: `shift`, what the adapter adds to its log weight, and `weight` before the grammar's
    factor. Per context: `ordinary` sums the ordinary tokens' weights, `grammar` [G] holds each
    grammar token's weight. `factors` [states, 1 + G] are the grammar's factors. Everything but
    `shift` is raised to `1 / temperature`.
    """

    def __init__(
        self, table: ContextTable, parameters: ParameterValues, temperature: float = 1.0
    ) -> None:
        frozen = table.frozen
        self.table = table
        self.parameters = parameters
        self.temperature = temperature
        self.factors = np.exp(frozen.grammar.log_weights / temperature)
        self._root_total = frozen.root_total(temperature)
        self._root_grammar = np.exp(frozen.prior.root[frozen.grammar.tokens] / temperature)
        self._entries = [Column(np.zeros(0)) for _ in range(2)]
        self._contexts = [Column(np.zeros(0)) for _ in range(2)]
        self._grammar: Column[np.float64] = Column(np.zeros(0))
        self.numbers, self.context_numbers = Numbering(), Numbering()
        self._make_room()

    def _make_room(self) -> None:
        """Fit the table. What is new weighs what it does untrained, until it is prepared."""
        table, base = self.table, self.table.log_base.values[self._entries[0].size :]
        if base.size:
            shift, weight = self._entries
            shift.extend_by(base.size, 0.0)
            weight.extend(np.exp(base / self.temperature))
        more = table.contexts.size - self._contexts[0].size
        if more:
            columns = table.frozen.grammar.tokens.size
            for column in self._contexts:
                column.extend_by(more, 0.0)
            self._grammar.extend_by(more * columns, 0.0)
        self.shift, self.weight = (c.values for c in self._entries)
        self.ordinary, self._peak = (c.values for c in self._contexts)
        self.grammar = self._grammar.values.reshape(table.contexts.size, -1)

    def lay_out(self, levels: list[Ints]) -> Layout:
        """Where the contexts of each order (distinct) and their entries lie. All shorter contexts
        are among them, or are ready."""
        self._make_room()
        return laid_out(self.table, self.parameters, levels, self.numbers, self.context_numbers)

    def prepare(self, layout: Layout) -> Prepared:
        """Make the contexts ready, and keep what their entries weigh."""
        ready = self.sum_up(layout)
        entries = layout.entries
        self.shift[entries], self.weight[entries] = ready.shift[:-1], ready.weight
        return ready

    def sum_up(self, layout: Layout) -> Prepared:
        """Set the contexts' sums; what the entries weigh is told, not kept."""
        self._make_room()
        ready = self._weighed(layout)
        self._sum_up(ready)
        return ready

    def _weighed(self, layout: Layout) -> Prepared:
        up, root, outside = layout.up, layout.cuts[1], layout.outside
        values = self.parameters.values_of(layout.parameters)
        shift = np.zeros(layout.entries.size + 1)  # the last is that of what is not among them
        shift[layout.trained] = values * GAIN
        if outside.size:
            shift[outside] += self.shift.take(layout.outside_parent)
        for begin, end in pairwise(layout.cuts[1:]):
            shift[begin:end] += shift.take(up[begin:end])
        weight = layout.plain + shift[:-1]
        np.exp(self.tempered(weight), out=weight)
        above = weight.take(up)
        above[:root] = np.exp(self.tempered(layout.plain[:root]))
        if outside.size:
            above[outside] = self.weight.take(layout.outside_parent)
        return Prepared(layout, values, shift, weight, above)

    def tempered(self, log_weights: Floats) -> Floats:
        """At the normalisers' temperature."""
        return log_weights if self.temperature == 1.0 else log_weights / self.temperature

    def log_weight(self, entries: Ints) -> Floats:
        """Of entries whose weights are kept."""
        return self.tempered(self.table.log_base.values[entries] + self.shift[entries])

    def _sum_up(self, ready: Prepared) -> None:
        """Set the contexts' sums."""
        layout = ready.layout
        sums = np.zeros(layout.contexts.size)
        if layout.entries.size:
            gain = ready.weight - ready.above
            gain[layout.marked] = 0.0
            listing = layout.listing
            sums[listing] = np.add.reduceat(gain, layout.ends[listing])
        if not (layout.whole and self._added_up(layout, sums)):
            self._add_up(ready, sums)
        if self.grammar.size:
            self._weigh_grammar(ready)

    def _added_up(self, layout: Layout, sums: Floats) -> bool:
        """Set the ordinary weights, shorter contexts first, if none lost its digits."""
        total, peak, up = sums.copy(), np.empty(sums.size), layout.context_up
        total[0] += self._root_total
        peak[0] = max(total[0], self._root_total)
        for begin, end in pairwise(layout.levels[1:]):
            above = up[begin:end]
            total[begin:end] += total.take(above)
            np.maximum(total[begin:end], peak.take(above), out=peak[begin:end])
        if not (total > CANCELLATION * peak).all():
            return False
        self.ordinary[layout.contexts], self._peak[layout.contexts] = total, peak
        return True

    def _add_up(self, ready: Prepared, sums: Floats) -> None:
        """Set the ordinary weights, shorter contexts first, and repair what lost its digits."""
        layout, parents = ready.layout, self.table.context_parent.values
        for level, (begin, end) in enumerate(pairwise(layout.levels)):
            here = layout.contexts[begin:end]
            if begin == end:
                continue
            if level == 0:
                self._peak[0] = self._root_total
                self.ordinary[0] = self._root_total + sums[0]
            else:
                up = parents[here]
                self.ordinary[here] = self.ordinary[up] + sums[begin:end]
                self._peak[here] = self._peak[up]
            self._repair(ready, here)

    def _weigh_grammar(self, ready: Prepared) -> None:
        """Set the grammar tokens' weights, shorter contexts first."""
        layout, parents = ready.layout, self.table.context_parent.values
        contexts, marked = layout.contexts, layout.marked
        owner, column, weight = contexts[layout.owner], layout.column - 1, ready.weight[marked]
        at = np.searchsorted(marked, layout.cuts).tolist()
        for level, (begin, end) in enumerate(pairwise(layout.levels)):
            here = contexts[begin:end]
            self.grammar[here] = self.grammar[parents[here]] if level else self._root_grammar
            if marked.size:
                special = slice(at[level], at[level + 1])
                self.grammar[owner[special], column[special]] = weight[special]

    def _repair(self, ready: Prepared, contexts: Ints) -> None:
        """Sum over the whole vocabulary where subtraction lost the digits."""
        total, peak = self.ordinary[contexts], self._peak[contexts]
        # Not `total <= …`: a NaN compares false with everything and is repaired as well.
        kept = total > CANCELLATION * peak
        self._peak[contexts] = np.maximum(total, peak)
        if kept.all():
            return
        self.shift[ready.layout.entries] = ready.shift[:-1]
        ordinary = self.table.frozen.column_of == 0
        for context in contexts[~kept].tolist():
            self.ordinary[context] = np.exp(self.dense_log_weights(context))[ordinary].sum()
            self._peak[context] = self.ordinary[context]

    def dense_log_weights(self, context: int) -> Floats:
        """[vocabulary] log weights of one context, before the grammar's factors."""
        table = self.table
        full = table.frozen.prior.root / self.temperature
        for one in reversed(table.ancestors(context)):
            entries, _ = table.members.of(np.array([one]))
            full[table.token.values[entries]] = self.log_weight(entries)
        return full
