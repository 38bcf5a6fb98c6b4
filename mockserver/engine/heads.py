"""The likeliest tokens of a context: for top-k, nucleus and greedy sampling and top-k logprobs.

Only listed tokens and the front of the sorted shorter contexts can be among them, so a head costs
its own length. Heads are kept per context.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from mockserver.engine.contexts import Contexts
from mockserver.engine.keys import Floats, Ints, find
from mockserver.engine.score import Scorer

KEPT = 4096
FIRST_GUESS = 64


@dataclass(frozen=True)
class Head:
    """Tokens by falling weight (ties by id) and the context's whole mass."""

    tokens: Ints
    weights: Floats
    total: float

    def nucleus(self, top_p: float, whole: float) -> Head:
        """The shortest front whose weight reaches `top_p` of `whole`."""
        running = np.cumsum(self.weights)
        size = int(np.searchsorted(running, top_p * whole * (1 - 1e-12), "left")) + 1
        return Head(self.tokens[:size], self.weights[:size], self.total)


class Heads:
    """Heads under one scorer's weights and temperature."""

    def __init__(self, scorer: Scorer) -> None:
        self.scorer = scorer
        self.base = scorer.base
        self._kept: dict[tuple[int, ...], Head] = {}

    def top(self, context: Contexts, k: int) -> Head:
        """The k likeliest tokens of one context (arrays of length 1); fewer if fewer exist."""
        key = (
            int(context.last[0]),
            int(context.before[0]),
            int(context.state[0]),
            int(context.scripted[0]),
            k,
        )
        head = self._kept.get(key)
        if head is None:
            head = self._build(context, k)
            if len(self._kept) >= KEPT:
                self._kept.clear()
            self._kept[key] = head
        return head

    def chosen(self, context: Contexts, top_k: int, top_p: float) -> Head:
        """What top_k, then top_p of the remaining mass, leave to draw from."""
        size = self.base.tokenizer_size
        if 0 < top_k < size:
            head = self.top(context, top_k)
            whole = float(head.weights.sum())
            return head if top_p >= 1.0 else head.nucleus(top_p, whole)
        guess = FIRST_GUESS
        while True:
            head = self.top(context, min(guess, size))
            if head.tokens.size >= size or head.weights.sum() >= top_p * head.total:
                return head.nucleus(top_p, head.total)
            guess *= 8

    def _build(self, context: Contexts, k: int) -> Head:
        tokens, weights = self._candidates(context, k)
        total = float(self.scorer.totals(context)[0])
        scripted = int(context.scripted[0])
        if scripted >= 0:
            lift = float(np.expm1(context.log_lift[0] / self.scorer.masses.temperature))
            usual = float(np.exp(self.scorer.log_weights(context, context.scripted)[0]))
            weights = np.where(tokens == scripted, usual * (1 + lift), weights)
            if not np.any(tokens == scripted):
                tokens = np.append(tokens, scripted)
                weights = np.append(weights, usual * (1 + lift))
            total += usual * lift
        kept = (tokens < self.base.tokenizer_size) & (weights > 0)
        tokens, weights = tokens[kept], weights[kept]
        best = np.lexsort((tokens, -weights))[:k]
        return Head(tokens[best], weights[best], total)

    def _candidates(self, context: Contexts, k: int) -> tuple[Ints, Floats]:
        lattice, masses = self.scorer.lattice, self.scorer.masses
        where = (context.last, self.base.space.pair(context.last, context.before))
        seen = np.zeros(0, dtype=np.int64)
        tokens, weights = [], []
        for order in (2, 1):
            level = lattice.levels[order]
            at = int(find(level.contexts, where[order - 1])[0])
            if at < 0:
                continue
            end = level.starts[at + 1] if at + 1 < level.starts.size else level.keys.size
            span = slice(int(level.starts[at]), int(end))
            fresh = ~np.isin(level.tokens[span], seen) & (level.column[span] == 0)
            tokens.append(level.tokens[span][fresh])
            weights.append(masses.weight[order][span][fresh])
            seen = np.union1d(seen, tokens[-1])
        for order_tokens, order_weights in (self._listed_everywhere, self._unlisted):
            front = order_tokens[: k + seen.size]
            fresh = ~np.isin(front, seen)
            tokens.append(front[fresh])
            weights.append(order_weights[: front.size][fresh])
        special = self.base.grammar.tokens
        row = lattice.row_of(*where)
        tokens.append(special)
        weights.append(masses.grammar[row[0]] * masses.factors[context.state[0], 1:])
        return np.concatenate(tokens), np.concatenate(weights)

    @cached_property
    def _listed_everywhere(self) -> tuple[Ints, Floats]:
        """Order 0's ordinary tokens, heaviest first."""
        level = self.scorer.lattice.levels[0]
        ordinary = level.column == 0
        tokens, weights = level.tokens[ordinary], self.scorer.masses.weight[0][ordinary]
        order = np.lexsort((tokens, -weights))
        return tokens[order], weights[order]

    @cached_property
    def _unlisted(self) -> tuple[Ints, Floats]:
        """The root's tokens that order 0 does not list, heaviest first."""
        order = self.base.root_order
        order = order[~np.isin(order, self.scorer.lattice.levels[0].tokens)]
        return order, np.exp(self.base.prior.root[order] / self.scorer.masses.temperature)
