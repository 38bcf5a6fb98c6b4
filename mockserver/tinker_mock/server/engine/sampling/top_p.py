"""Top-p without sorting the vocabulary for every token.

The nucleus of a context is every token whose weight reaches some threshold. The mass above a
threshold is known from three sorted lists: order 0 as a whole, the tokens the context lists, and
what those weigh at order 0. So the threshold is found by search, and a token is drawn from the
whole distribution until it reaches it. Tokens exactly as likely as the last one stay in.
"""

from __future__ import annotations

from functools import cached_property

import numpy as np

from tinker_mock.server.engine.model.contexts import Contexts
from tinker_mock.server.engine.model.keys import Floats, Ints
from tinker_mock.server.engine.model.score import Scorer
from tinker_mock.server.engine.sampling.counter_rng import Seeds, mixed

ROUNDS = 64
WAYS = 64
KEPT = 65536


class Rungs:
    """Ascending weights and the mass from each one up."""

    def __init__(self, weights: Floats) -> None:
        self.weights = np.sort(weights)
        self.above = np.append(np.cumsum(self.weights[::-1])[::-1], 0.0)

    def mass(self, thresholds: Floats) -> Floats:
        """Summed weights at or above each threshold."""
        found: Floats = self.above[np.searchsorted(self.weights, thresholds, "left")]
        return found


class Nuclei:
    """Thresholds under one scorer, kept per context."""

    def __init__(self, scorer: Scorer) -> None:
        self.scorer = scorer
        self.base = scorer.base
        self._kept: dict[tuple[float, ...], float] = {}

    @cached_property
    def _order0(self) -> Floats:
        """[tokenizer_size] ordinary weights at order 0, 0 for grammar tokens."""
        level = self.scorer.lattice.levels[0]
        weights = np.exp(self.base.prior.root / self.scorer.masses.temperature)
        weights[level.tokens] = self.scorer.masses.weight[0]
        weights = weights[: self.base.tokenizer_size]
        return np.where(self.base.column_of[: weights.size] == 0, weights, 0.0)

    @cached_property
    def _rungs0(self) -> Rungs:
        return Rungs(self._order0)

    def log_threshold(self, context: Contexts, top_p: float) -> float:
        """The log weight that a token of this context must reach (arrays of length 1)."""
        key = (*context.identity, top_p)
        found = self._kept.get(key)
        if found is None:
            found = self._search(context, top_p)
            if len(self._kept) >= KEPT:
                self._kept.clear()
            self._kept[key] = found
        return found

    def _listed(self, context: Contexts) -> tuple[Ints, Floats]:
        """What the context lists, the script's token among it."""
        tokens, weights = self.scorer.heads.listed(context)
        scripted = int(context.scripted[0])
        if scripted >= 0 and self.base.column_of[scripted] == 0:
            others = tokens != scripted
            lifted = np.exp(self.scorer.lifted_log_weights(context, context.scripted))
            return np.append(tokens[others], scripted), np.append(weights[others], lifted)
        return tokens, weights

    def _search(self, context: Contexts, top_p: float) -> float:
        tokens, weights = self._listed(context)
        replaced = Rungs(self._order0[tokens])
        special = self.scorer.heads.special(context)
        listed = Rungs(np.concatenate([weights, special]))
        total = self._rungs0.above[0] + listed.above[0] - replaced.above[0]
        wanted = top_p * total * (1 - 1e-12)
        low = np.log(np.finfo(np.float64).tiny)
        high = np.log(total) + 1.0
        while high - low > 1e-9:
            ladder = np.linspace(low, high, WAYS)
            steps = np.exp(ladder)
            mass = self._rungs0.mass(steps) + listed.mass(steps) - replaced.mass(steps)
            at = max(int(np.flatnonzero(mass >= wanted)[-1]), 0) if mass[0] >= wanted else 0
            low, high = ladder[at], ladder[min(at + 1, WAYS - 1)]
            if at == WAYS - 1:
                break
        return float(low)


def draw_nucleus(scorer: Scorer, at: Contexts, seeds: Seeds, top_p: float) -> Ints:
    """One token of each context's nucleus."""
    floors = np.array(
        [scorer.nuclei.log_threshold(at.take(slice(i, i + 1)), top_p) for i in range(at.size)]
    )
    tokens = np.empty(at.size, dtype=np.int64)
    left = np.arange(at.size)
    for attempt in range(ROUNDS):
        here = at.take(left)
        drawn = scorer.drawer.draw(here, mixed(seeds[left], -2 - attempt))
        tokens[left] = drawn
        left = left[scorer.lifted_log_weights(here, drawn) < floors[left]]
        if left.size == 0:
            return tokens
    for i in left:
        tokens[i] = scorer.heads.top(at.take(slice(i, i + 1)), 1).tokens[0]
    return tokens
