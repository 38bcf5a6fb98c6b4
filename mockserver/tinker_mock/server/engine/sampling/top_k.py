"""The likeliest tokens of a context: for top-k and greedy sampling and top-k logprobs.

Only listed tokens and the front of the sorted shorter contexts can be among them, so a head costs
its own length. Heads are kept per context.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from tinker_mock.server.engine.model.contexts import Contexts
from tinker_mock.server.engine.model.keys import Floats, Ints, find
from tinker_mock.server.engine.model.score import Scorer

KEPT = 65536


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
        self._kept: dict[tuple[float, ...], Head] = {}

    def top(self, context: Contexts, k: int) -> Head:
        """The k likeliest tokens of one context (arrays of length 1); fewer if fewer exist."""
        key = (*context.identity, k)
        head = self._kept.get(key)
        if head is None:
            head = self._build(context, k)
            if len(self._kept) >= KEPT:
                self._kept.clear()
            self._kept[key] = head
        return head

    def chosen(self, context: Contexts, top_k: int, top_p: float) -> Head:
        """What top_k, then top_p of the remaining mass, leave to draw from."""
        head = self.top(context, top_k)
        return head if top_p >= 1.0 else head.nucleus(top_p, float(head.weights.sum()))

    def listed(self, context: Contexts) -> tuple[Ints, Floats]:
        """The ordinary tokens that the context lists after one or two tokens, by falling order."""
        lattice, masses = self.scorer.lattice, self.scorer.masses
        where = (context.last, self.base.space.pair(context.last, context.before))
        tokens: list[Ints] = []
        weights: list[Floats] = []
        for order in (2, 1):
            level = lattice.levels[order]
            at = int(find(level.contexts, where[order - 1])[0])
            if at < 0:
                continue
            end = level.starts[at + 1] if at + 1 < level.starts.size else level.keys.size
            span = slice(int(level.starts[at]), int(end))
            fresh = (level.column[span] == 0) & (level.tokens[span] < self.base.tokenizer_size)
            for deeper in tokens:
                spot = np.minimum(np.searchsorted(deeper, level.tokens[span]), deeper.size - 1)
                fresh &= deeper[spot] != level.tokens[span] if deeper.size else True
            tokens.append(level.tokens[span][fresh])
            weights.append(masses.weight[order][span][fresh])
        if not tokens:
            return np.zeros(0, dtype=np.int64), np.zeros(0)
        return np.concatenate(tokens), np.concatenate(weights)

    def special(self, context: Contexts) -> Floats:
        """[G] weights of the grammar's tokens."""
        masses = self.scorer.masses
        tokens = self.base.grammar.tokens
        if not np.any(context.scripted >= 0):
            row = self.scorer.lattice.row_of(
                context.last, self.base.space.pair(context.last, context.before)
            )
            plain: Floats = masses.grammar[row[0]] * masses.factors[context.state[0], 1:]
            return plain
        at = context.take(np.zeros(tokens.size, dtype=np.int64))
        return np.exp(self.scorer.lifted_log_weights(at, tokens))

    def _build(self, context: Contexts, k: int) -> Head:
        listed, listed_weights = self.listed(context)
        tokens = [listed, self.base.grammar.tokens]
        weights = [listed_weights, self.special(context)]
        seen = np.sort(listed)
        for front, front_weights in (self._listed_everywhere, self._unlisted):
            head = front[: k + seen.size]
            fresh = np.ones(head.size, dtype=bool)
            if seen.size:
                spot = np.minimum(np.searchsorted(seen, head), seen.size - 1)
                fresh = seen[spot] != head
            tokens.append(head[fresh])
            weights.append(front_weights[: head.size][fresh])
        return self._cut(context, np.concatenate(tokens), np.concatenate(weights), k)

    def _cut(self, context: Contexts, tokens: Ints, weights: Floats, k: int) -> Head:
        total = float(self.scorer.totals(context)[0])
        scripted = int(context.scripted[0])
        if scripted >= 0:
            lifted = float(np.exp(self.scorer.lifted_log_weights(context, context.scripted)[0]))
            total += lifted - float(np.exp(self.scorer.log_weights(context, context.scripted)[0]))
            others = tokens != scripted
            tokens = np.append(tokens[others], scripted)
            weights = np.append(weights[others], lifted)
        kept = (tokens < self.base.tokenizer_size) & (weights > 0)
        tokens, weights = tokens[kept], weights[kept]
        if k < tokens.size:
            near = np.argpartition(-weights, k - 1)
            near = np.flatnonzero(weights >= weights[near[k - 1]])
            tokens, weights = tokens[near], weights[near]
        best = np.lexsort((tokens, -weights))[:k]
        return Head(tokens[best], weights[best], total)

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
