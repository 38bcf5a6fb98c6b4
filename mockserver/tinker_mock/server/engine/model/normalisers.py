"""Exact normalisers of contexts.

    total(context) = total(parent) + sum over its entries of (weight - parent entry's weight)

so a normaliser costs what is listed, not the vocabulary.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from tinker_mock.server.engine.model.columns import Column
from tinker_mock.server.engine.model.context_tables import ContextTable
from tinker_mock.server.engine.model.keys import Floats, Ints, Narrow
from tinker_mock.server.engine.model.numbering import Numbering

GAIN = 1 / 32
"""What a parameter of 1 adds to a logit: gradients then have norms that LoRA's have."""

CANCELLATION = 1e-6
"""Below this share of the largest total on its way a context is summed over the vocabulary.

Its total is then a difference of two nearly equal numbers: of float64's 16 digits, some 6 are lost
at this share, and those that are left still sum to one within 1e-9.
"""


Among = Callable[[Ints], tuple[Ints, Floats]]
"""Which of some entries are parameters, by their places, and the values of those."""


@dataclass(frozen=True)
class Prepared:
    """Contexts that are ready, shorter ones first, and their entries end to end.

    `levels` cut the contexts, `cuts` the entries by order; `lengths` counts each context's entries.
    Per entry: `up` the place of its parent (-1 for one that is not among them), its `weight` and
    its parent's, `above`. `trained` are the places of parameters, `values` theirs; `marked` those
    of grammar tokens, with the place of their context, `owner`, and their grammar `column`.
    """

    contexts: Ints
    levels: Ints
    lengths: Ints
    entries: Ints
    cuts: Ints
    up: Ints
    weight: Floats
    above: Floats
    trained: Ints
    values: Floats
    marked: Ints
    owner: Ints
    column: Narrow


class Normalisers:
    """Weights and their sums at one temperature, for the contexts that were prepared.

    Per entry: `shift`, what the adapter adds to its log weight, and `weight` before the grammar's
    factor. Per context: `ordinary` sums the ordinary tokens' weights, `grammar` [G] holds each
    grammar token's weight. `factors` [states, 1 + G] are the grammar's factors. Everything but
    `shift` is raised to `1 / temperature`.
    """

    def __init__(self, table: ContextTable, parameters: Among, temperature: float = 1.0) -> None:
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
        self.numbers = Numbering()
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

    def prepare(self, levels: list[Ints]) -> Prepared:
        """Compute for the contexts of each order (distinct). All shorter ones are among them, or
        are ready."""
        self._make_room()
        contexts = np.concatenate(levels)
        entries, lengths = self.table.members.of(contexts)
        ends = np.zeros(contexts.size + 1, dtype=np.int64)
        np.cumsum(lengths, out=ends[1:])
        bounds = np.cumsum([0, *(level.size for level in levels)])
        ready = self._weighed(contexts, bounds, lengths, entries, ends)
        self._sum_up(ready, ends)
        return ready

    def _weighed(
        self, contexts: Ints, bounds: Ints, lengths: Ints, entries: Ints, ends: Ints
    ) -> Prepared:
        """Set the entries' weights."""
        table, cuts = self.table, ends[bounds]
        root = int(cuts[1])
        parent = table.parent.values[entries]
        up = self.numbers.of(entries, parent, table.entries.size)
        outside = root + np.flatnonzero(up[root:] < 0)
        trained, values = self.parameters(entries)
        room = np.zeros(entries.size + 1)  # the last is that of what is not among them
        room[trained] = values * GAIN
        room[outside] += self.shift[parent[outside]]
        for begin, end in pairwise(cuts[1:].tolist()):
            room[begin:end] += room[up[begin:end]]
        shift, base = room[:-1], table.log_base.values[entries]
        weight = np.exp(self._tempered(base + shift))
        above = weight[up]
        above[:root] = np.exp(self._tempered(base[:root]))
        above[outside] = self.weight[parent[outside]]
        self.shift[entries], self.weight[entries] = shift, weight
        columns = table.column.values[entries]
        marked = np.flatnonzero(columns)
        owner, column = np.searchsorted(ends, marked, "right") - 1, columns[marked]
        return Prepared(
            contexts,
            bounds,
            lengths,
            entries,
            cuts,
            up,
            weight,
            above,
            trained,
            values,
            marked,
            owner,
            column,
        )

    def _tempered(self, log_weights: Floats) -> Floats:
        return log_weights if self.temperature == 1.0 else log_weights / self.temperature

    def log_weight(self, entries: Ints) -> Floats:
        """Of entries that are ready."""
        return self._tempered(self.table.log_base.values[entries] + self.shift[entries])

    def _sum_up(self, ready: Prepared, ends: Ints) -> None:
        """Set the contexts' sums, shorter ones first."""
        table, contexts = self.table, ready.contexts
        sums, listing, marked = np.zeros(contexts.size), ready.lengths > 0, ready.marked
        if ready.entries.size:
            gain = ready.weight - ready.above
            gain[marked] = 0.0
            sums[listing] = np.add.reduceat(gain, ends[:-1][listing])
        owner, column, weight = contexts[ready.owner], ready.column - 1, ready.weight[marked]
        at = np.searchsorted(marked, ready.cuts).tolist()
        for level, (begin, end) in enumerate(pairwise(ready.levels.tolist())):
            here = contexts[begin:end]
            if begin == end:
                continue
            if level == 0:
                self._peak[0] = self._root_total
                self.ordinary[0] = self._root_total + sums[0]
                self.grammar[0] = self._root_grammar
            else:
                up = table.context_parent.values[here]
                self.ordinary[here] = self.ordinary[up] + sums[begin:end]
                self._peak[here] = self._peak[up]
                self.grammar[here] = self.grammar[up]
            if at[level] < at[level + 1]:
                special = slice(at[level], at[level + 1])
                self.grammar[owner[special], column[special]] = weight[special]
            self._repair(here)

    def _repair(self, contexts: Ints) -> None:
        """Sum over the whole vocabulary where subtraction lost the digits."""
        total, peak = self.ordinary[contexts], self._peak[contexts]
        # Not `total <= …`: a NaN compares false with everything and is repaired as well.
        kept = total > CANCELLATION * peak
        self._peak[contexts] = np.maximum(total, peak)
        if kept.all():
            return
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
