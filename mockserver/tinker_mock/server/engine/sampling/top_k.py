"""The likeliest tokens of a context: for top-k and greedy sampling and top-k logprobs.

Only listed tokens and the front of the sorted shorter contexts can be among them, so k tokens cost
about k, whatever the vocabulary. They are kept per context.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from tinker_mock.server.engine.model.contexts import Contexts
from tinker_mock.server.engine.model.keys import Bools, Floats, Ints, find
from tinker_mock.server.engine.model.score import Scorer
from tinker_mock.server.engine.sampling.counter_rng import Seeds, uniform
from tinker_mock.server.engine.sampling.results import EMPTY_LOGPROB, TopK

KEPT = 65536
"""A full table is emptied: cheaper at every look-up than knowing what was used last."""

ROUNDING = 1e-12
"""A running sum may miss the wanted share by its last digits; without this one token more is in."""


@dataclass(frozen=True)
class RankedTokens:
    """Tokens by falling weight (ties by id) and what the context's whole vocabulary weighs."""

    tokens: Ints
    weights: Floats
    total: float

    def within(self, top_p: float) -> RankedTokens:
        """The shortest front that holds `top_p` of what these tokens weigh."""
        running = np.cumsum(self.weights)
        wanted = top_p * float(self.weights.sum()) * (1 - ROUNDING)
        size = int(np.searchsorted(running, wanted, "left")) + 1
        return RankedTokens(self.tokens[:size], self.weights[:size], self.total)


class TopKTable:
    """Ranked tokens under one scorer's weights and temperature."""

    def __init__(self, scorer: Scorer) -> None:
        self.scorer = scorer
        self.frozen = scorer.frozen
        self._kept: dict[tuple[float, ...], RankedTokens] = {}

    def ranked(self, context: Contexts, k: int) -> RankedTokens:
        """The k likeliest tokens of one context (arrays of length 1); fewer if fewer exist."""
        key = (*context.identity, k)
        found = self._kept.get(key)
        if found is None:
            found = self._build(context, k)
            if len(self._kept) >= KEPT:
                self._kept.clear()
            self._kept[key] = found
        return found

    def likeliest(self, contexts: Contexts) -> Ints:
        """The likeliest token of each context."""
        ranked = (self.ranked(contexts.take(slice(i, i + 1)), 1) for i in range(contexts.size))
        return np.array([one.tokens[0] for one in ranked], dtype=np.int64)

    def logprobs(self, contexts: Contexts, k: int) -> TopK:
        """The k likeliest tokens of every context with their log-probabilities."""
        ids = np.zeros((contexts.size, k), dtype=np.int32)
        logprobs: Floats = np.full((contexts.size, k), EMPTY_LOGPROB)
        for i in range(contexts.size):
            found = self.ranked(contexts.take(slice(i, i + 1)), k)
            ids[i, : found.tokens.size] = found.tokens
            logprobs[i, : found.tokens.size] = np.log(found.weights) - np.log(found.total)
        return TopK(ids, logprobs.astype(np.float32))

    def draw(self, contexts: Contexts, seeds: Seeds, k: int, top_p: float) -> Ints:
        """One token per context among its k likeliest, or among the `top_p` of those."""
        tokens = np.empty(contexts.size, dtype=np.int64)
        for i, share in enumerate(uniform(seeds)):
            found = self.ranked(contexts.take(slice(i, i + 1)), k)
            if top_p < 1.0:
                found = found.within(top_p)
            running = np.cumsum(found.weights)
            spot = np.searchsorted(running, share * running[-1], "right")
            tokens[i] = found.tokens[min(int(spot), found.tokens.size - 1)]
        return tokens

    def listed(self, context: Contexts) -> tuple[Ints, Floats]:
        """The ordinary tokens that the context lists after one or two tokens, by falling order."""
        where = (context.last, self.frozen.space.pair(context.last, context.before))
        tokens: list[Ints] = []
        weights: list[Floats] = []
        for order in (2, 1):
            table = self.scorer.tables.orders[order]
            at = int(find(table.contexts, where[order - 1])[0])
            if at < 0:
                continue
            span = table.entries_of(at)
            fresh = (table.column[span] == 0) & (table.tokens[span] < self.frozen.tokenizer_size)
            for deeper in tokens:
                fresh &= _absent(deeper, table.tokens[span])
            tokens.append(table.tokens[span][fresh])
            weights.append(self.scorer.normalisers.weight[order][span][fresh])
        if not tokens:
            return np.zeros(0, dtype=np.int64), np.zeros(0)
        return np.concatenate(tokens), np.concatenate(weights)

    def special(self, context: Contexts) -> Floats:
        """[G] weights of the grammar's tokens."""
        normalisers, tokens = self.scorer.normalisers, self.frozen.grammar.tokens
        if context.scripted.shape[0] == 0:
            where = self.frozen.space.pair(context.last, context.before)
            row = self.scorer.tables.row_of(context.last, where)
            plain: Floats = normalisers.grammar[row[0]] * normalisers.factors[context.state[0], 1:]
            return plain
        at = context.take(np.zeros(tokens.size, dtype=np.int64))
        return np.exp(self.scorer.lifted_log_weights(at, tokens))

    def _build(self, context: Contexts, k: int) -> RankedTokens:
        listed, listed_weights = self.listed(context)
        tokens = [listed, self.frozen.grammar.tokens]
        weights = [listed_weights, self.special(context)]
        seen = np.sort(listed)
        for front, front_weights in (self._listed_everywhere, self._unlisted):
            first = front[: k + seen.size]
            fresh = _absent(seen, first)
            tokens.append(first[fresh])
            weights.append(front_weights[: first.size][fresh])
        return self._cut(context, np.concatenate(tokens), np.concatenate(weights), k)

    def _cut(self, context: Contexts, tokens: Ints, weights: Floats, k: int) -> RankedTokens:
        total = float(self.scorer.totals(context)[0])
        for row in context.scripted:
            if row[0] < 0:
                continue
            lifted = float(np.exp(self.scorer.lifted_log_weights(context, row)[0]))
            total += lifted - float(np.exp(self.scorer.log_weights(context, row)[0]))
            others = tokens != row[0]
            tokens = np.append(tokens[others], row[0])
            weights = np.append(weights[others], lifted)
        kept = (tokens < self.frozen.tokenizer_size) & (weights > 0)
        tokens, weights = tokens[kept], weights[kept]
        if k < tokens.size:
            # argpartition cuts ties at random places: take all that weigh as much as the k-th,
            # and let the sort below decide among them by id.
            near = np.argpartition(-weights, k - 1)
            near = np.flatnonzero(weights >= weights[near[k - 1]])
            tokens, weights = tokens[near], weights[near]
        best = np.lexsort((tokens, -weights))[:k]
        return RankedTokens(tokens[best], weights[best], total)

    @cached_property
    def _listed_everywhere(self) -> tuple[Ints, Floats]:
        """Order 0's ordinary tokens, heaviest first."""
        table = self.scorer.tables.orders[0]
        ordinary = table.column == 0
        tokens, weights = table.tokens[ordinary], self.scorer.normalisers.weight[0][ordinary]
        order = np.lexsort((tokens, -weights))
        return tokens[order], weights[order]

    @cached_property
    def _unlisted(self) -> tuple[Ints, Floats]:
        """The root's tokens that order 0 does not list, heaviest first."""
        order = self.frozen.root_order
        order = order[~np.isin(order, self.scorer.tables.orders[0].tokens)]
        return order, np.exp(self.frozen.prior.root[order] / self.scorer.normalisers.temperature)


def _absent(ordered: Ints, tokens: Ints) -> Bools:
    """Whether each token is missing from the sorted tokens."""
    return find(ordered, tokens) < 0
