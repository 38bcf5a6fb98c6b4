"""The likeliest tokens of a context: for top-k and greedy sampling and top-k logprobs.

Only listed tokens and the front of the sorted shorter contexts can be among them, so k tokens cost
about k, whatever the vocabulary. They are kept per context.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np

from tinker_mock.server.budget import checkpoint
from tinker_mock.server.engine.model.contexts import Contexts
from tinker_mock.server.engine.model.keys import Bools, Floats, Ints, Narrow, find
from tinker_mock.server.engine.model.score import Scorer
from tinker_mock.server.engine.sampling.counter_rng import Seeds, uniform
from tinker_mock.server.engine.sampling.listings import Listings
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


class Place(NamedTuple):
    """What the distribution at one place depends on."""

    context: int
    state: int
    scripted: tuple[int, ...]
    log_lift: tuple[float, ...]

    def lifts(self) -> Iterator[tuple[int, float]]:
        """The scripted tokens with the logs of their factors."""
        pairs = zip(self.scripted, self.log_lift, strict=True)
        return (pair for pair in pairs if pair[0] >= 0)


class TopKTable:
    """Ranked tokens under one scorer's weights and temperature."""

    def __init__(self, scorer: Scorer, listings: Listings) -> None:
        self.scorer = scorer
        self.frozen = scorer.frozen
        self.listings = listings
        self._kept: dict[tuple[Place, int], RankedTokens] = {}

    def ranked(self, place: Place, k: int) -> RankedTokens:
        """The k likeliest tokens of one place; fewer if fewer exist."""
        key = (place, k)
        found = self._kept.get(key)
        if found is None:
            found = self._build(place, k)
            if len(self._kept) >= KEPT:
                self._kept.clear()
            self._kept[key] = found
        return found

    def likeliest(self, contexts: Contexts) -> Ints:
        """The likeliest token of each context."""
        ranked = (self.ranked(place, 1) for place in self.places(contexts))
        return np.array([one.tokens[0] for one in ranked], dtype=np.int64)

    def places(self, contexts: Contexts) -> list[Place]:
        """What each context's distribution depends on; keys to keep things by."""
        deepest = self.scorer.deepest(contexts.keys)
        self.listings.include(deepest)
        parts = (deepest, contexts.state, contexts.scripted.T, contexts.log_lift.T)
        rows = zip(*(part.tolist() for part in parts), strict=True)
        return [Place(at, state, tuple(some), tuple(lift)) for at, state, some, lift in rows]

    def logprobs(self, contexts: Contexts, k: int) -> TopK:
        """The k likeliest tokens of every context with their log-probabilities."""
        ids = np.zeros((contexts.size, k), dtype=np.int32)
        logprobs: Floats = np.full((contexts.size, k), EMPTY_LOGPROB)
        for i, place in enumerate(self.places(contexts)):
            checkpoint()
            found = self.ranked(place, k)
            ids[i, : found.tokens.size] = found.tokens
            logprobs[i, : found.tokens.size] = np.log(found.weights) - np.log(found.total)
        return TopK(ids, logprobs.astype(np.float32))

    def draw(self, contexts: Contexts, seeds: Seeds, k: int, top_p: float) -> Ints:
        """One token per context among its k likeliest, or among the `top_p` of those."""
        tokens = np.empty(contexts.size, dtype=np.int64)
        for i, (place, share) in enumerate(zip(self.places(contexts), uniform(seeds), strict=True)):
            checkpoint()
            found = self.ranked(place, k)
            if top_p < 1.0:
                found = found.within(top_p)
            running = np.cumsum(found.weights)
            spot = np.searchsorted(running, share * running[-1], "right")
            tokens[i] = found.tokens[min(int(spot), found.tokens.size - 1)]
        return tokens

    def listed(self, place: Place) -> tuple[Ints, Floats]:
        """The ordinary tokens that the context and shorter ones list, but the root's."""
        listings, weight = self.listings, self.scorer.normalisers.weight
        tokens: list[Narrow] = []
        weights: list[Floats] = []
        for context in self.scorer.table.ancestors(place.context)[:-1]:
            span = listings.span(context)
            here = listings.tokens.values[span]
            fresh = listings.ordinary.values[span] & (here < self.frozen.tokenizer_size)
            for deeper in tokens:
                fresh &= _absent(np.sort(deeper), here)
            tokens.append(here[fresh])
            weights.append(weight[listings.entries.values[span][fresh]])
        if not tokens:
            return np.zeros(0, dtype=np.int64), np.zeros(0)
        return np.concatenate(tokens), np.concatenate(weights)

    def special(self, place: Place) -> Floats:
        """[G] weights of the grammar's tokens, the lifts of scripted ones included."""
        normalisers, tokens = self.scorer.normalisers, self.frozen.grammar.tokens
        found: Floats = normalisers.grammar[place.context] * normalisers.factors[place.state, 1:]
        for scripted, log_lift in place.lifts():
            lift = np.exp(log_lift / normalisers.temperature)
            found = np.where(tokens == scripted, found * lift, found)
        return found

    def weight(self, place: Place, token: int) -> float:
        """What one token weighs there, the lift of a scripted one left out."""
        chain = np.array(self.scorer.table.ancestors(place.context)[::-1])[:, None]
        entries = self.scorer.table.deepest_entries(chain, np.array([token]))
        log_weight = self.scorer.plain_log_weights(entries, np.array([token]))[0]
        factor = self.scorer.normalisers.factors[place.state, self.frozen.column_of[token]]
        return float(np.exp(log_weight) * factor)

    def _build(self, place: Place, k: int) -> RankedTokens:
        listed, listed_weights = self.listed(place)
        tokens = [listed, self.frozen.grammar.tokens]
        weights = [listed_weights, self.special(place)]
        seen = np.sort(listed)
        for front, front_weights in (self._listed_everywhere, self._unlisted):
            first = front[: k + seen.size]
            fresh = _absent(seen, first)
            tokens.append(first[fresh])
            weights.append(front_weights[: first.size][fresh])
        return self._cut(place, np.concatenate(tokens), np.concatenate(weights), k)

    def _cut(self, place: Place, tokens: Ints, weights: Floats, k: int) -> RankedTokens:
        normalisers = self.scorer.normalisers
        factors = normalisers.factors[place.state, 1:]
        total = float(normalisers.ordinary[place.context])
        total += float(normalisers.grammar[place.context] @ factors)
        for scripted, log_lift in place.lifts():
            plain = self.weight(place, scripted)
            lifted = plain * float(np.exp(log_lift / normalisers.temperature))
            total += lifted - plain
            others = tokens != scripted
            tokens = np.append(tokens[others], scripted)
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
        """The root's listed ordinary tokens, heaviest first."""
        span = self.listings.span(0)
        ordinary = self.listings.ordinary.values[span]
        tokens = self.listings.tokens.values[span][ordinary]
        weights = self.scorer.normalisers.weight[self.listings.entries.values[span]][ordinary]
        order = np.lexsort((tokens, -weights))
        return tokens[order], weights[order]

    @cached_property
    def _unlisted(self) -> tuple[Ints, Floats]:
        """The tokens that nothing lists everywhere, heaviest first."""
        order = self.frozen.root_order
        order = order[_absent(np.sort(self._listed_everywhere[0]), order)]
        return order, np.exp(self.frozen.prior.root[order] / self.scorer.normalisers.temperature)


def _absent(ordered: Narrow, tokens: Narrow) -> Bools:
    """Whether each token is missing from the sorted tokens."""
    return find(ordered, tokens) < 0
