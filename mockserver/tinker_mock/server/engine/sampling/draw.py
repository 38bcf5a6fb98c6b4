"""Drawing tokens from the exact distribution without touching the whole vocabulary.

A context's ordinary tokens split into those it lists and the rest, and the rest follows the next
shorter context. Draw from the listed part through running sums; otherwise go one context up and
draw again whenever the token turns out to be listed below. Every token uses its own seed only, so a
sequence does not depend on what is drawn beside it.
"""

from dataclasses import dataclass

import numpy as np

from tinker_mock.server.engine.model.contexts import Contexts
from tinker_mock.server.engine.model.keys import Bools, Floats, Ints
from tinker_mock.server.engine.model.score import Scorer
from tinker_mock.server.engine.sampling.counter_rng import Seeds, uniform
from tinker_mock.server.engine.sampling.listings import SHARE, Listings

TRIES = 96
"""After so many rejected draws a token is drawn from its context's whole row.

A context that lists nearly everything that the shorter one offers rejects nearly every draw.
"""

AT_ONCE = 128
"""Draws tried in one go: to numpy they cost little more than one."""

BELOW_ONE = 1.0 - 2**-53
"""The largest float64 below 1: a share of 1 would pick the entry after the last."""

TINY = float(np.finfo(float).tiny)

FROZEN = -1
"""Stands for the frozen model's own distribution, above the root."""


@dataclass
class Descent:
    """Draws under way: each row's token (-1 while open), the context that draws, and the one below
    it that sent the draw up (-1 for none)."""

    tokens: Ints
    source: Ints
    below: Ints
    share: Floats


class Drawer:
    """Draws under one scorer's weights and temperature."""

    def __init__(self, scorer: Scorer, listings: Listings) -> None:
        self.scorer = scorer
        self.frozen = scorer.frozen
        self.listings = listings
        self.grammar_allowed = self.frozen.grammar.tokens < self.frozen.tokenizer_size

    def draw(self, contexts: Contexts, seeds: Seeds) -> Ints:
        """One token per context, a function of its context and seed."""
        listings, deepest = self.listings, self.scorer.deepest(contexts.keys)
        listings.include(deepest)
        ordinary = listings.listed.values[deepest] + listings.rest.values[deepest]
        ordinary = ordinary * self.scorer.normalisers.ordinary[deepest]
        special = self._special_weights(contexts, deepest)
        running = np.cumsum(special, axis=1)
        whole = running[:, -1] if special.shape[1] else np.zeros(contexts.size)
        target = uniform(seeds) * (ordinary + whole)
        tokens = np.full(contexts.size, -1, dtype=np.int64)
        chosen = (target < whole).nonzero()[0]
        if chosen.size:
            column = (target[chosen, None] >= running[chosen]).sum(axis=1)
            tokens[chosen] = self._special_tokens(contexts.take(chosen), column)
            left = (tokens < 0).nonzero()[0]
            target, whole, ordinary = target[left], whole[left], ordinary[left]
            tokens[left] = self._ordinary(
                deepest[left], _share((target - whole) / ordinary), seeds[left]
            )
            return tokens
        return self._ordinary(deepest, _share((target - whole) / ordinary), seeds)

    def _special_weights(self, contexts: Contexts, deepest: Ints) -> Floats:
        """[N, G + K] weights of grammar tokens, and what scripted tokens gain."""
        normalisers = self.scorer.normalisers
        special = normalisers.grammar[deepest] * normalisers.factors[contexts.state, 1:]
        gains = [special * self.grammar_allowed]
        for scripted, log_lift in contexts.lifts():
            due = (scripted >= 0).nonzero()[0]
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

    def _ordinary(self, deepest: Ints, share: Floats, seeds: Seeds) -> Ints:
        """Draws are tried until one fits; several at once, of which the first that decides counts:
        a token that fits, or a draw that went further up, from where it goes on."""
        found = self._descend(deepest.copy(), np.full(deepest.size, -1), share)
        rejected = self._listed_below(found)
        tokens, source, below = found.tokens, found.source, found.below
        open_ = (rejected).nonzero()[0]
        tokens[open_] = -1
        tries = np.ones(deepest.size, dtype=np.int64)
        while open_.size:
            ways = max(2, AT_ONCE // open_.size)
            number = tries[open_, None] + np.arange(ways)
            share = uniform(np.repeat(seeds[open_], ways), number.ravel())
            found = self._descend(
                np.repeat(source[open_], ways), np.repeat(below[open_], ways), share
            )
            rejected = self._listed_below(found).reshape(-1, ways)
            stuck = rejected & (found.source.reshape(-1, ways) == source[open_, None])
            decided = ~stuck & (number < TRIES)
            first = decided.argmax(axis=1)
            some = decided.any(axis=1)
            pick = np.arange(open_.size) * ways + first
            tries[open_] += np.where(some, first + 1, ways)
            source[open_[some]], below[open_[some]] = (
                found.source[pick[some]],
                found.below[pick[some]],
            )
            fits = some & ~rejected.ravel()[pick]
            tokens[open_[fits]] = found.tokens[pick[fits]]
            open_ = open_[~fits]
            for i in open_[tries[open_] >= TRIES]:
                tokens[i] = self._dense(int(source[i]), int(below[i]), seeds[i : i + 1])
            open_ = open_[tries[open_] < TRIES]
        return tokens

    def _descend(self, source: Ints, below: Ints, share: Floats) -> Descent:
        """Pick from a listing or go up, to the frozen model in the end."""
        found = Descent(np.full(source.size, -1, dtype=np.int64), source, below, share)
        open_ = (source != FROZEN).nonzero()[0]
        sums, parents = self.listings, self.scorer.table.context_parent.values
        starts, running = sums.starts.values, sums.running.values
        at = source.take(open_)
        while open_.size:
            listed = sums.listed.values.take(at)
            rest = sums.rest.values.take(at)
            target = share.take(open_)
            target *= listed + rest
            here = (target < listed).nonzero()[0]
            if here.size:
                steps = (target.take(here) * SHARE).astype(np.int64)
                begun = running.take(starts.take(at.take(here)))
                spot = np.searchsorted(running, begun + steps, "right") - 1
                found.tokens[open_.take(here)] = sums.tokens.values.take(spot)
                if here.size == open_.size:
                    break
            up = (target >= listed).nonzero()[0]
            room = np.maximum(rest.take(up), TINY)
            open_, below_ = open_.take(up), at.take(up)
            found.share[open_] = _share((target.take(up) - listed.take(up)) / room)
            at = parents.take(below_).astype(np.int64)
            found.below[open_], found.source[open_] = below_, at
            further = (at != FROZEN).nonzero()[0]
            open_, at = open_.take(further), at.take(further)
        rooted = (found.tokens < 0).nonzero()[0]
        if rooted.size:
            root = sums.root_cumulative
            spot = np.searchsorted(root, found.share[rooted] * root[-1], "right")
            found.tokens[rooted] = np.minimum(spot, root.size - 1)
        return found

    def _listed_below(self, found: Descent) -> Bools:
        """Whether the context that sent the draw up lists the token after all."""
        again = np.zeros(found.tokens.size, dtype=bool)
        sent = (found.below >= 0).nonzero()[0]
        if sent.size:
            again[sent] = self.scorer.table.listed_in(found.below[sent], found.tokens[sent])
        return again

    def _dense(self, source: int, below: int, seed: Seeds) -> int:
        """The slow exact draw of a token that the context below does not list."""
        normalisers, frozen = self.scorer.normalisers, self.frozen
        row = frozen.prior.root / normalisers.temperature
        if source != FROZEN:
            row = normalisers.dense_log_weights(source)
        weights = np.exp(row)[: frozen.tokenizer_size]
        weights[frozen.column_of[: weights.size] != 0] = 0.0
        if below >= 0:
            listed = self.listings.tokens.values[self.listings.span(below)]
            weights[listed[listed < weights.size]] = 0.0
        running = np.cumsum(weights)
        spot = np.searchsorted(running, uniform(seed, TRIES)[0] * running[-1], "right")
        return min(int(spot), running.size - 1)


def _share(found: Floats) -> Floats:
    """At least 0 and below 1; `np.clip` takes several times as long for a few numbers."""
    return np.minimum(np.maximum(found, 0.0), BELOW_ONE)
