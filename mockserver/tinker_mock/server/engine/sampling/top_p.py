"""Top-p without sorting the vocabulary for every token.

The nucleus of a context is every token whose weight reaches some threshold. What the tokens above a
threshold weigh is known from three sorted lists: order 0 as a whole, the tokens the context lists,
and what those weigh at order 0. So the threshold is found by search, and a token is drawn from the
whole distribution until it reaches it. Tokens exactly as likely as the last one stay in.
"""

from functools import cached_property

import numpy as np

from tinker_mock.server.budget import checkpoint
from tinker_mock.server.engine.model.contexts import Contexts
from tinker_mock.server.engine.model.keys import Floats, Ints
from tinker_mock.server.engine.model.score import Scorer
from tinker_mock.server.engine.sampling.counter_rng import Seeds, mixed
from tinker_mock.server.engine.sampling.draw import Drawer
from tinker_mock.server.engine.sampling.top_k import KEPT, ROUNDING, Place, TopKTable

ROUNDS = 64
"""Then the likeliest token is taken: in (1 - top_p)**64 of all cases."""

WAYS = 64
"""Thresholds tried at once: to numpy 64 cost little more than one, and gain 6 bits a round."""


class TailSums:
    """Ascending weights, and what all from each one up weigh together."""

    def __init__(self, weights: Floats) -> None:
        self.weights = np.sort(weights)
        self.above = np.append(np.cumsum(self.weights[::-1])[::-1], 0.0)

    def at_least(self, thresholds: Floats) -> Floats:
        """Summed weights at or above each threshold."""
        found: Floats = self.above[np.searchsorted(self.weights, thresholds, "left")]
        return found


class TopPTable:
    """Thresholds under one scorer, kept per context."""

    def __init__(self, scorer: Scorer, drawer: Drawer, top_k: TopKTable) -> None:
        self.scorer = scorer
        self.frozen = scorer.frozen
        self.drawer = drawer
        self.top_k = top_k
        self._kept: dict[tuple[Place, float], float] = {}

    def draw(self, contexts: Contexts, seeds: Seeds, top_p: float) -> Ints:
        """One token of each context's nucleus."""
        places = self.top_k.places(contexts)
        floors = np.array([self.log_threshold(place, top_p) for place in places])
        tokens = np.empty(contexts.size, dtype=np.int64)
        left = np.arange(contexts.size)
        for attempt in range(ROUNDS):
            here = contexts.take(left)
            # Attempts 0, 1, … are numbers of a seed; the seeds of further draws are -2, -3, …
            drawn = self.drawer.draw(here, mixed(seeds[left], -2 - attempt))
            tokens[left] = drawn
            left = left[self.scorer.lifted_log_weights(here, drawn) < floors[left]]
            if left.size == 0:
                return tokens
        tokens[left] = self.top_k.likeliest(contexts.take(left))
        return tokens

    def log_threshold(self, place: Place, top_p: float) -> float:
        """The log weight that a token must reach there."""
        key = (place, top_p)
        found = self._kept.get(key)
        if found is None:
            checkpoint()
            found = self._search(place, top_p)
            if len(self._kept) >= KEPT:
                self._kept.clear()
            self._kept[key] = found
        return found

    @cached_property
    def _order0(self) -> Floats:
        """[tokenizer_size] ordinary weights at order 0, 0 for grammar tokens."""
        weights = np.exp(self.frozen.prior.root / self.scorer.normalisers.temperature)
        listings = self.top_k.listings
        span = listings.span(0)
        entries = listings.entries.values[span]
        weights[listings.tokens.values[span]] = self.scorer.normalisers.weight[entries]
        weights = weights[: self.frozen.tokenizer_size]
        return np.where(self.frozen.column_of[: weights.size] == 0, weights, 0.0)

    @cached_property
    def _tails0(self) -> TailSums:
        return TailSums(self._order0)

    def _listed(self, place: Place) -> tuple[Ints, Floats]:
        """What the context lists, scripted tokens among it."""
        tokens, weights = self.top_k.listed(place)
        for scripted, log_lift in place.lifts():
            if self.frozen.column_of[scripted] == 0:
                others = tokens != scripted
                lift = np.exp(log_lift / self.scorer.normalisers.temperature)
                lifted = self.top_k.weight(place, scripted) * lift
                tokens = np.append(tokens[others], scripted)
                weights = np.append(weights[others], lifted)
        return tokens, weights

    def _search(self, place: Place, top_p: float) -> float:
        tokens, weights = self._listed(place)
        replaced = TailSums(self._order0[tokens])
        special = self.top_k.special(place)
        listed = TailSums(np.concatenate([weights, special]))
        total = self._tails0.above[0] + listed.above[0] - replaced.above[0]
        wanted = top_p * total * (1 - ROUNDING)
        low = np.log(np.finfo(np.float64).tiny)
        high = np.log(total) + 1.0
        while high - low > 1e-9:
            ladder = np.linspace(low, high, WAYS)
            steps = np.exp(ladder)
            reached = self._tails0.at_least(steps) + listed.at_least(steps)
            reached = reached - replaced.at_least(steps)
            at = int(np.flatnonzero(reached >= wanted)[-1]) if reached[0] >= wanted else 0
            low, high = ladder[at], ladder[min(at + 1, WAYS - 1)]
            if at == WAYS - 1:
                break
        return float(low)
