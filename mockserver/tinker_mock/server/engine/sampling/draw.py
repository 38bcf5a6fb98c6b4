"""Drawing tokens from the exact distribution without touching the whole vocabulary.

A context's ordinary tokens split into those it lists and the rest, and the rest follows the next
shorter context. Draw from the listed part through running sums; otherwise go one order down and
draw again whenever the token turns out to be listed above. Every token uses its own seed only, so a
sequence does not depend on what is drawn beside it.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from tinker_mock.server.engine.model.context_tables import OrderTable
from tinker_mock.server.engine.model.contexts import Contexts
from tinker_mock.server.engine.model.keys import Bools, Floats, Ints, find
from tinker_mock.server.engine.model.normalisers import dense_log_weights
from tinker_mock.server.engine.model.score import Scorer
from tinker_mock.server.engine.sampling.counter_rng import Seeds, uniform

TRIES = 48
"""After so many rejected draws a token is drawn from its context's whole row.

A context that lists nearly everything that the shorter one offers rejects nearly every draw.
"""

BELOW_ONE = 1.0 - 2**-53
"""The largest float64 below 1: a share of 1 would pick the entry after the last."""


@dataclass(frozen=True)
class RunningSums:
    """One order's `running` [entries + 1] sums of the weights that may be sampled.

    `listed` and `rest` [contexts] are what a context's listed and unlisted tokens weigh.
    """

    running: Floats
    starts: Ints
    listed: Floats
    rest: Floats


class Drawer:
    """Draws under one scorer's weights and temperature."""

    def __init__(self, scorer: Scorer) -> None:
        self.scorer = scorer
        self.frozen = scorer.frozen
        normalisers, tables = scorer.normalisers, scorer.tables.orders
        root = np.exp(self.frozen.prior.root[tables[0].tokens] / normalisers.temperature)
        below = np.array([self.frozen.root_total(normalisers.temperature)])
        begin = 0
        self.sums: list[RunningSums] = []
        for order, table in enumerate(tables):
            above = root if order == 0 else normalisers.weight[order - 1][table.parent]
            up = table.parent_context if order else np.zeros(1, dtype=np.int64)
            self.sums.append(self._sums(table, normalisers.weight[order], above, below[up]))
            below = normalisers.ordinary[begin : begin + table.contexts.size]
            begin += table.contexts.size
        self.grammar_allowed = self.frozen.grammar.tokens < self.frozen.tokenizer_size

    def _sums(self, table: OrderTable, weight: Floats, above: Floats, below: Floats) -> RunningSums:
        ordinary = table.column == 0
        usable = np.where(ordinary & (table.tokens < self.frozen.tokenizer_size), weight, 0.0)
        running = np.concatenate([[0.0], np.cumsum(usable)])
        starts = np.append(table.starts, table.keys.size)
        if table.keys.size == 0:
            return RunningSums(running, np.zeros(2, dtype=np.int64), np.zeros(1), below)
        covered = np.add.reduceat(np.where(ordinary, above, 0.0), table.starts)
        listed = running[starts[1:]] - running[starts[:-1]]
        # A difference of equal sums may come out as -1e-17, and nothing weighs less than 0.
        return RunningSums(running, starts, listed, np.maximum(below - covered, 0.0))

    @cached_property
    def _unlisted(self) -> Floats:
        """[tokenizer_size] running sum of the root weights that no order lists."""
        running = self.frozen.root_cumulative(self.scorer.normalisers.temperature)
        weights = np.diff(running, prepend=0.0)
        listed = self.scorer.tables.orders[0].tokens
        weights[listed[listed < weights.size]] = 0.0
        return np.cumsum(weights)

    def draw(self, contexts: Contexts, seeds: Seeds) -> Ints:
        """One token per context, a function of its context and seed."""
        order_of, index = self._places(contexts)
        ordinary = np.empty(contexts.size)
        for order, sums in enumerate(self.sums):
            here = order_of == order
            ordinary[here] = sums.listed[index[here]] + sums.rest[index[here]]
        special = self._special_weights(contexts)
        total = ordinary + special.sum(axis=1)
        target = uniform(seeds) * total
        running = np.cumsum(special, axis=1)
        tokens = np.full(contexts.size, -1, dtype=np.int64)
        if special.shape[1]:
            chosen = np.flatnonzero(target < running[:, -1])
            column = (target[chosen, None] >= running[chosen]).sum(axis=1)
            tokens[chosen] = self._special_tokens(contexts.take(chosen), column)
            target = target - running[:, -1]
        left = np.flatnonzero(tokens < 0)
        share = np.clip(target[left] / ordinary[left], 0.0, BELOW_ONE)
        tokens[left] = self._ordinary(
            contexts.take(left), order_of[left], index[left], share, seeds[left]
        )
        return tokens

    def _places(self, contexts: Contexts) -> tuple[Ints, Ints]:
        """The longest order that knows each context, and the context's index there."""
        tables = self.scorer.tables.orders
        deep = find(tables[2].contexts, self.frozen.space.pair(contexts.last, contexts.before))
        shallow = find(tables[1].contexts, contexts.last)
        order_of = np.where(deep >= 0, 2, np.where(shallow >= 0, 1, 0))
        return order_of, np.where(deep >= 0, deep, np.maximum(shallow, 0))

    def _special_weights(self, contexts: Contexts) -> Floats:
        """[N, G + K] weights of grammar tokens, and what scripted tokens gain."""
        normalisers, pair = self.scorer.normalisers, self.frozen.space.pair
        rows = self.scorer.tables.row_of(contexts.last, pair(contexts.last, contexts.before))
        special = normalisers.grammar[rows] * normalisers.factors[contexts.state, 1:]
        special = special * self.grammar_allowed
        gains = [special]
        for scripted, log_lift in contexts.lifts():
            due = np.flatnonzero(scripted >= 0)
            lift = np.expm1(log_lift[due] / normalisers.temperature)
            gain = np.zeros((contexts.size, 1))
            favoured = self.scorer.log_weights(contexts.take(due), scripted[due])
            gain[due, 0] = np.exp(favoured) * lift
            gains.append(gain)
        return np.concatenate(gains, axis=1)

    def _special_tokens(self, contexts: Contexts, column: Ints) -> Ints:
        grammar = np.repeat(self.frozen.grammar.tokens[:, None], contexts.size, axis=1)
        offered = np.concatenate([grammar, contexts.scripted])
        found: Ints = offered[column, np.arange(contexts.size)]
        return found

    def _ordinary(
        self, contexts: Contexts, order_of: Ints, index: Ints, share: Floats, seeds: Seeds
    ) -> Ints:
        tokens = np.full(contexts.size, -1, dtype=np.int64)
        open_ = np.arange(contexts.size)
        order_of, index, share = order_of.copy(), index.copy(), share.copy()
        for attempt in range(1, TRIES + 1):
            found, source, where = self._descend(order_of[open_], index[open_], share[open_])
            fits = ~self._listed_above(contexts.take(open_), found, source)
            tokens[open_[fits]] = found[fits]
            again = open_[~fits]
            if again.size == 0:
                return tokens
            order_of[again], index[again] = source[~fits], where[~fits]
            share[again] = uniform(seeds[again], attempt)
            open_ = again
        for i in open_:
            tokens[i] = self._dense(contexts.take(np.array([i])), float(share[i]))
        return tokens

    def _descend(self, order_of: Ints, index: Ints, share: Floats) -> tuple[Ints, Ints, Ints]:
        """Pick from a listing or go down: token, the order that gave it, its context there."""
        tokens = np.full(order_of.size, -1, dtype=np.int64)
        source, where = order_of.copy(), index.copy()
        share = share.copy()
        for order in (2, 1, 0):
            here = np.flatnonzero((source == order) & (tokens < 0))
            if here.size == 0:
                continue
            sums, table = self.sums[order], self.scorer.tables.orders[order]
            at = where[here]
            listed, rest = sums.listed[at], sums.rest[at]
            target = share[here] * (listed + rest)
            inside = target < listed
            picked = here[inside]
            low = sums.starts[at[inside]]
            spot = np.searchsorted(sums.running, sums.running[low] + target[inside], "right") - 1
            # Running sums round: the target may fall just outside the context's own entries.
            spot = np.clip(spot, low, sums.starts[at[inside] + 1] - 1)
            tokens[picked] = table.tokens[spot]
            down = here[~inside]
            room = np.maximum(rest[~inside], np.finfo(float).tiny)
            left = (target[~inside] - listed[~inside]) / room
            share[down] = np.clip(left, 0.0, BELOW_ONE)
            source[down] = order - 1
            where[down] = table.parent_context[at[~inside]] if order else 0
        rooted = np.flatnonzero(tokens < 0)
        running = self._unlisted
        spot = np.searchsorted(running, share[rooted] * running[-1], "right")
        tokens[rooted] = np.minimum(spot, running.size - 1)
        return tokens, source, where

    def _listed_above(self, contexts: Contexts, tokens: Ints, source: Ints) -> Bools:
        """Whether the context one order above the source lists the token after all."""
        space, tables = self.frozen.space, self.scorer.tables.orders
        listed = np.zeros(tokens.size, dtype=bool)
        keys = (
            tokens,
            space.pair(contexts.last, tokens),
            space.triple(contexts.last, contexts.before, tokens),
        )
        for order in (1, 2):
            below = np.flatnonzero(source == order - 1)
            if below.size:
                listed[below] = find(tables[order].keys, keys[order][below]) >= 0
        return listed

    def _dense(self, context: Contexts, uniform: float) -> int:
        """The slow exact draw, for contexts whose rest is nearly empty."""
        order_of, index = self._places(context)
        tables, normalisers = self.scorer.tables, self.scorer.normalisers
        row = dense_log_weights(self.frozen, tables, normalisers, int(order_of[0]), int(index[0]))
        weights = np.exp(row)[: self.frozen.tokenizer_size]
        weights[self.frozen.column_of[: weights.size] != 0] = 0.0
        running = np.cumsum(weights)
        return int(np.searchsorted(running, uniform * running[-1], "right"))
