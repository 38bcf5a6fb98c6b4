"""From slopes of the loss to gradients of the adapter.

With g_i = dL/dlogp_i, the gradient of an entry (c, v) is

    scale * (sum of g_i where token and context match - sum over contexts of g_i * p(v | context))

and the second sum follows the context tables: p(v | context) = weight(c, v) / total, corrected
upward from the longest context to the shortest, so it costs the listed entries only. Parameters
stay fixed between two optimizer steps, so both sums are gathered per call and turned into a
gradient once.
"""

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
from tinker_mock.server.engine.model.score import Scorer, ScoringPlan


@dataclass
class PendingSlopes:
    """What forward_backward calls have gathered since the last optimizer step.

    Pulls: triple keys and their summed slopes. Pushes: (last, before) keys, grammar states and
    the summed slopes divided by the context's normaliser.
    """

    pull_keys: list[Ints] = field(default_factory=list)
    pulls: list[Floats] = field(default_factory=list)
    push_keys: list[Ints] = field(default_factory=list)
    push_states: list[Ints] = field(default_factory=list)
    pushes: list[Floats] = field(default_factory=list)

    def gather(self, scorer: Scorer, plan: ScoringPlan, slopes: Floats, totals: Floats) -> None:
        """Add one call's slopes (dL/dlogp, [N]); `totals` are its log normalisers."""
        space, contexts = scorer.frozen.space, plan.contexts
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
        firsts = plan.order[plan.context_starts]
        self.push_keys.append(space.pair(contexts.last[firsts], contexts.before[firsts]))
        self.push_states.append(contexts.state[firsts])
        self.pushes.append(pushed)
        self._gather_scripted(scorer, plan, slopes, totals)

    def _gather_scripted(
        self, scorer: Scorer, plan: ScoringPlan, slopes: Floats, totals: Floats
    ) -> None:
        for scripted, log_lift in plan.contexts.lifts():
            due = np.flatnonzero((scripted >= 0) & (slopes != 0.0))
            at, tokens = plan.contexts.take(due), scripted[due]
            weights = np.exp(scorer.log_weights(at, tokens) - totals[due])
            self.pull_keys.append(scorer.frozen.space.triple(at.last, at.before, tokens))
            self.pulls.append(-slopes[due] * weights * np.expm1(log_lift[due]))

    def __bool__(self) -> bool:
        return bool(self.pulls)

    def keys(self, parameters: Parameters) -> list[Ints]:
        """The entries, per order, that these slopes pull on."""
        space = parameters.frozen.space
        triples = distinct(*self.pull_keys)
        pairs = distinct(space.shorten(triples, 2))
        return [distinct(space.token_of(pairs)), pairs, triples]


def gradient(parameters: Parameters, pending: PendingSlopes) -> list[Floats]:
    """dL/dvalue per order, aligned to the tables' entries, 0 for untrained ones."""
    tables, space = parameters.tables.orders, parameters.frozen.space
    weight = parameters.scorer().normalisers.weight
    triples = np.concatenate(pending.pull_keys)
    pulls = np.concatenate(pending.pulls)
    short = space.shorten(triples, 2)
    sought = (space.token_of(triples), short, triples)
    pushed = _pushes(parameters, pending)
    carried: list[Floats] = [np.zeros(table.keys.size) for table in tables]
    result: list[Floats] = [np.zeros(0)] * ORDERS
    for order in (2, 1, 0):
        table = tables[order]
        at = find(table.keys, sought[order])
        pull = _sums(at[at >= 0], pulls[at >= 0], table.keys.size)
        push = pushed[order][table.context, table.column]
        expected = push * weight[order] + carried[order]
        result[order] = np.where(parameters.trained[order], SCALE[order] * (pull - expected), 0.0)
        if order:
            above = weight[order - 1][table.parent]
            correction = push * (weight[order] - above) + carried[order]
            size = tables[order - 1].keys.size
            carried[order - 1] = _sums(table.parent, correction, size)
    return result


def _pushes(parameters: Parameters, pending: PendingSlopes) -> list[Floats]:
    """Per order [contexts, 1 + G]: slopes over normalisers, times the grammar's factors."""
    tables, space = parameters.tables.orders, parameters.frozen.space
    factors = parameters.scorer().normalisers.factors
    keys = np.concatenate(pending.push_keys)
    states = np.concatenate(pending.push_states)
    values = np.concatenate(pending.pushes)
    merged = (keys << STATE_BITS) | states
    order = np.argsort(merged, kind="stable")
    starts = segment_starts(merged[order])
    values = np.add.reduceat(values[order], starts)
    keys, states = keys[order][starts], states[order][starts]
    pushed = []
    contexts = (np.zeros(keys.size, dtype=np.int64), space.context_of(keys), keys)
    for table, wanted in zip(tables, contexts, strict=True):
        at = find(table.contexts, wanted)
        hit = at >= 0
        sums = np.empty((table.contexts.size, factors.shape[1]))
        for column in range(factors.shape[1]):
            weighted = values[hit] * factors[states[hit], column]
            sums[:, column] = _sums(at[hit], weighted, table.contexts.size)
        pushed.append(sums)
    return pushed


def _sums(index: Ints, values: Floats, size: int) -> Floats:
    """[size] sums of `values` by index."""
    found: Floats = np.bincount(index, weights=values, minlength=size).astype(np.float64)
    return found
