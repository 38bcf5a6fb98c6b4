"""From slopes of the loss to gradients of the adapter.

With g_i = dL/dlogp_i, the gradient of an entry (c, v) is

    scale * (sum of g_i where token and context match - sum over contexts of g_i * p(v | context))

and the second sum follows the lattice: p(v | context) = weight(c, v) / total, corrected upward
from the longest context to the shortest, so it costs the listed entries only. Parameters stay fixed
between two optimizer steps, so both sums are gathered per call and turned into a gradient once.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from tinker_mock.server.engine.model.adapter import SCALE, Parameters
from tinker_mock.server.engine.model.context_tables import ORDERS
from tinker_mock.server.engine.model.keys import (
    STATE_BITS,
    Floats,
    Ints,
    distinct,
    find,
    segment_starts,
)
from tinker_mock.server.engine.model.score import Plan, Scorer


@dataclass
class Evidence:
    """What forward_backward calls have gathered since the last optimizer step.

    Pulls: triple keys and their summed slopes. Pushes: (last, before) keys, grammar states and
    the summed slopes divided by the context's normaliser.
    """

    pull_keys: list[Ints] = field(default_factory=list)
    pulls: list[Floats] = field(default_factory=list)
    push_keys: list[Ints] = field(default_factory=list)
    push_states: list[Ints] = field(default_factory=list)
    pushes: list[Floats] = field(default_factory=list)

    def gather(self, scorer: Scorer, plan: Plan, slopes: Floats, totals: Floats) -> None:
        """Add one call's slopes (dL/dlogp, [N]); `totals` are its log normalisers."""
        space, contexts = scorer.base.space, plan.contexts
        sorted_slopes = slopes[plan.order]
        if not np.any(sorted_slopes):
            return
        summed = np.add.reduceat(sorted_slopes, plan.starts)
        used = summed != 0.0
        asked = plan.order[plan.starts[used]]
        keys = space.triple(contexts.last[asked], contexts.before[asked], plan.tokens[asked])
        self.pull_keys.append(keys)
        self.pulls.append(summed[used])
        pushed = np.add.reduceat(sorted_slopes * np.exp(-totals[plan.order]), plan.context_starts)
        heads = plan.order[plan.context_starts]
        self.push_keys.append(space.pair(contexts.last[heads], contexts.before[heads]))
        self.push_states.append(contexts.state[heads])
        self.pushes.append(pushed)
        if scorer.base.scripts:
            self._gather_scripts(scorer, plan, slopes, totals)

    def _gather_scripts(self, scorer: Scorer, plan: Plan, slopes: Floats, totals: Floats) -> None:
        due = np.flatnonzero((plan.contexts.scripted >= 0) & (slopes != 0.0))
        if due.size == 0:
            return
        at = plan.contexts.take(due)
        extra = np.exp(scorer.log_weights(at, at.scripted) - totals[due]) * np.expm1(at.log_lift)
        self.pull_keys.append(scorer.base.space.triple(at.last, at.before, at.scripted))
        self.pulls.append(-slopes[due] * extra)

    def __bool__(self) -> bool:
        return bool(self.pulls)

    def keys(self, weights: Parameters) -> list[Ints]:
        """The entries, per order, that these slopes pull on."""
        space = weights.base.space
        triples = distinct(*self.pull_keys)
        pairs = distinct(space.shorten(triples, 2))
        return [distinct(space.token_of(pairs)), pairs, triples]


def gradient(weights: Parameters, evidence: Evidence) -> list[Floats]:
    """dL/dvalue per order, aligned to the lattice's entries, 0 for untrained ones."""
    levels, space = weights.lattice.levels, weights.base.space
    masses = weights.masses()
    triples = np.concatenate(evidence.pull_keys)
    pulls = np.concatenate(evidence.pulls)
    short = space.shorten(triples, 2)
    sought = (space.token_of(triples), short, triples)
    pushed = _pushes(weights, evidence)
    carried: list[Floats] = [np.zeros(level.keys.size) for level in levels]
    result: list[Floats] = [np.zeros(0)] * ORDERS
    for order in (2, 1, 0):
        level = levels[order]
        at = find(level.keys, sought[order])
        pull = _sums(at[at >= 0], pulls[at >= 0], level.keys.size)
        push = pushed[order][level.context, level.column]
        expected = push * masses.weight[order] + carried[order]
        result[order] = np.where(weights.trained[order], SCALE[order] * (pull - expected), 0.0)
        if order:
            above = masses.weight[order - 1][level.parent]
            correction = push * (masses.weight[order] - above) + carried[order]
            size = levels[order - 1].keys.size
            carried[order - 1] = _sums(level.parent, correction, size)
    return result


def _pushes(weights: Parameters, evidence: Evidence) -> list[Floats]:
    """Per order [contexts, 1 + G]: slopes over normalisers, times the grammar's factors."""
    levels, base = weights.lattice.levels, weights.base
    factors = weights.masses().factors
    keys = np.concatenate(evidence.push_keys)
    states = np.concatenate(evidence.push_states)
    values = np.concatenate(evidence.pushes)
    merged = (keys << STATE_BITS) | states
    order = np.argsort(merged, kind="stable")
    starts = segment_starts(merged[order])
    values = np.add.reduceat(values[order], starts)
    keys, states = keys[order][starts], states[order][starts]
    pushed = []
    contexts = (np.zeros(keys.size, dtype=np.int64), base.space.context_of(keys), keys)
    for level, wanted in zip(levels, contexts, strict=True):
        at = find(level.contexts, wanted)
        hit = at >= 0
        table = np.empty((level.contexts.size, factors.shape[1]))
        for column in range(factors.shape[1]):
            weighted = values[hit] * factors[states[hit], column]
            table[:, column] = _sums(at[hit], weighted, level.contexts.size)
        pushed.append(table)
    return pushed


def _sums(index: Ints, values: Floats, size: int) -> Floats:
    """[size] sums of `values` by index."""
    found: Floats = np.bincount(index, weights=values, minlength=size).astype(np.float64)
    return found
