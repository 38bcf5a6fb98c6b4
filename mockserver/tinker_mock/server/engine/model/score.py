"""Exact log-probabilities: one code path for training, prompts and samples.

Every value is a function of the weights and of one (context, token) alone, so it does not depend
on what else is in the batch. float64 throughout; callers round once.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np

from tinker_mock.server.engine.model.context_tables import ContextTables
from tinker_mock.server.engine.model.contexts import Contexts
from tinker_mock.server.engine.model.frozen_model import FrozenModel
from tinker_mock.server.engine.model.keys import STATE_BITS, Floats, Ints, find, segment_starts
from tinker_mock.server.engine.model.normalisers import Normalisers

T = TypeVar("T")


@dataclass(frozen=True)
class ScoringPlan:
    """N (context, token) questions, sorted, equal ones asked once.

    `order` sorts the questions, `starts` begins each run of equal ones; `context_starts` begins
    each run of questions that share context and state.
    """

    contexts: Contexts
    tokens: Ints
    order: Ints
    starts: Ints
    context_starts: Ints

    @classmethod
    def of(cls, frozen: FrozenModel, contexts: Contexts, tokens: Ints) -> ScoringPlan:
        bits = frozen.space.bits
        where = frozen.space.pair(contexts.last, contexts.before)
        key = (((where << STATE_BITS) | contexts.state) << bits) | tokens
        order = np.argsort(key)
        key = key[order]
        return cls(contexts, tokens, order, segment_starts(key), segment_starts(key >> bits))


class Scorer:
    """Log-probabilities under one set of weights at one temperature."""

    def __init__(
        self, frozen: FrozenModel, tables: ContextTables, normalisers: Normalisers
    ) -> None:
        self.frozen = frozen
        self.tables = tables
        self.normalisers = normalisers
        self._derived: dict[Callable[[Scorer], Any], Any] = {}

    def derived(self, make: Callable[[Scorer], T]) -> T:
        """What `make` computes from this distribution: made once, kept as long as the scorer."""
        if make not in self._derived:
            self._derived[make] = make(self)
        found: T = self._derived[make]
        return found

    def score(self, contexts: Contexts, tokens: Ints) -> Floats:
        """log p(token | context), [N]."""
        return self.score_plan(ScoringPlan.of(self.frozen, contexts, tokens))[0]

    def score_plan(self, plan: ScoringPlan) -> tuple[Floats, Floats]:
        """log p and log normaliser of every question, [N] each, in the asked order."""
        asked = plan.order[plan.starts]
        one = plan.contexts.take(asked)
        log_weight = self.log_weights(one, plan.tokens[asked])
        firsts = plan.order[plan.context_starts]
        total = np.log(self.totals(plan.contexts.take(firsts)))
        size = plan.order.size
        weight_of = np.repeat(log_weight, np.diff(np.r_[plan.starts, size]))
        total_of = np.repeat(total, np.diff(np.r_[plan.context_starts, size]))
        weights, totals = np.empty(size), np.empty(size)
        weights[plan.order], totals[plan.order] = weight_of, total_of
        self._apply_scripted(plan, weights, totals)
        return weights - totals, totals

    def log_weights(self, contexts: Contexts, tokens: Ints) -> Floats:
        """Log weights with the grammar's factor, nothing scripted."""
        space, normalisers = self.frozen.space, self.normalisers
        found = self.frozen.prior.root[tokens] / normalisers.temperature
        keys = (
            tokens,
            space.pair(contexts.last, tokens),
            space.triple(contexts.last, contexts.before, tokens),
        )
        rows = zip(self.tables.orders, keys, normalisers.log_weight, strict=True)
        for table, wanted, log_weight in rows:
            at = find(table.keys, wanted)
            hit = at >= 0
            found[hit] = log_weight[at[hit]]
        column = self.frozen.column_of[tokens]
        factors = self.frozen.grammar.log_weights / normalisers.temperature
        return found + factors[contexts.state, column]

    def lifted_log_weights(self, contexts: Contexts, tokens: Ints) -> Floats:
        """Log weights with the grammar's factor and the lift of scripted answers."""
        found = self.log_weights(contexts, tokens)
        for scripted, log_lift in contexts.lifts():
            lift = log_lift / self.normalisers.temperature
            found = found + np.where(scripted == tokens, lift, 0.0)
        return found

    def totals(self, contexts: Contexts) -> Floats:
        """Normalisers with nothing scripted, [N]."""
        context = self.frozen.space.pair(contexts.last, contexts.before)
        rows = self.tables.row_of(contexts.last, context)
        total = self.normalisers.ordinary[rows]
        for column in range(self.normalisers.grammar.shape[1]):
            factor = self.normalisers.factors[contexts.state, 1 + column]
            total = total + factor * self.normalisers.grammar[rows, column]
        return total

    def _apply_scripted(self, plan: ScoringPlan, weights: Floats, totals: Floats) -> None:
        for scripted, log_lift in plan.contexts.lifts():
            due = np.flatnonzero(scripted >= 0)
            lift = log_lift[due] / self.normalisers.temperature
            favoured = self.log_weights(plan.contexts.take(due), scripted[due])
            totals[due] = np.log(np.exp(totals[due]) + np.exp(favoured) * np.expm1(lift))
            weights[due] += np.where(scripted[due] == plan.tokens[due], lift, 0.0)
