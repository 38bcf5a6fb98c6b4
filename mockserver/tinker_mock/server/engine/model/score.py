"""Exact log-probabilities: one code path for training, prompts and samples.

Every value is a function of the weights and of one (context, token) alone, so it does not depend
on what else is in the batch. float64 throughout; callers round once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from tinker_mock.server.engine.model.context_tables import Lattice, Masses
from tinker_mock.server.engine.model.contexts import Contexts, contexts_of
from tinker_mock.server.engine.model.keys import STATE_BITS, Floats, Ints, find, segment_starts

if TYPE_CHECKING:
    from tinker_mock.server.engine.model.base_model import BaseModel
    from tinker_mock.server.engine.sampling.draw import Drawer
    from tinker_mock.server.engine.sampling.top_k import Heads
    from tinker_mock.server.engine.sampling.top_p import Nuclei


@dataclass(frozen=True)
class Plan:
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
    def of(cls, base: BaseModel, contexts: Contexts, tokens: Ints) -> Plan:
        bits = base.space.bits
        where = base.space.pair(contexts.last, contexts.before)
        key = (((where << STATE_BITS) | contexts.state) << bits) | tokens
        order = np.argsort(key)
        key = key[order]
        return cls(contexts, tokens, order, segment_starts(key), segment_starts(key >> bits))


class Scorer:
    """Log-probabilities under one set of weights at one temperature."""

    def __init__(self, base: BaseModel, lattice: Lattice, masses: Masses) -> None:
        self.base = base
        self.lattice = lattice
        self.masses = masses

    @cached_property
    def drawer(self) -> Drawer:
        """Draws from this distribution."""
        from tinker_mock.server.engine.sampling.draw import Drawer

        return Drawer(self)

    @cached_property
    def heads(self) -> Heads:
        """This distribution's likeliest tokens."""
        from tinker_mock.server.engine.sampling.top_k import Heads

        return Heads(self)

    @cached_property
    def nuclei(self) -> Nuclei:
        """This distribution's top-p thresholds."""
        from tinker_mock.server.engine.sampling.top_p import Nuclei

        return Nuclei(self)

    def score(self, contexts: Contexts, tokens: Ints) -> Floats:
        """log p(token | context), [N]."""
        return self.score_plan(Plan.of(self.base, contexts, tokens))[0]

    def score_plan(self, plan: Plan) -> tuple[Floats, Floats]:
        """log p and log normaliser of every question, [N] each, in the asked order."""
        asked = plan.order[plan.starts]
        one = plan.contexts.take(asked)
        log_weight = self.log_weights(one, plan.tokens[asked])
        heads = plan.order[plan.context_starts]
        total = np.log(self.totals(plan.contexts.take(heads)))
        size = plan.order.size
        weight_of = np.repeat(log_weight, np.diff(np.r_[plan.starts, size]))
        total_of = np.repeat(total, np.diff(np.r_[plan.context_starts, size]))
        weights, totals = np.empty(size), np.empty(size)
        weights[plan.order], totals[plan.order] = weight_of, total_of
        if self.base.scripts:
            self._apply_scripts(plan, weights, totals)
        return weights - totals, totals

    def log_weights(self, contexts: Contexts, tokens: Ints) -> Floats:
        """Log weights with the grammar's factor, without scripts."""
        space, levels = self.base.space, self.lattice.levels
        found = self.base.prior.root[tokens] / self.masses.temperature
        keys = (
            tokens,
            space.pair(contexts.last, tokens),
            space.triple(contexts.last, contexts.before, tokens),
        )
        for level, wanted, log_weight in zip(levels, keys, self.masses.log_weight, strict=True):
            at = find(level.keys, wanted)
            hit = at >= 0
            found[hit] = log_weight[at[hit]]
        column = self.base.column_of[tokens]
        factors = self.base.grammar.log_weights / self.masses.temperature
        return found + factors[contexts.state, column]

    def lifted_log_weights(self, contexts: Contexts, tokens: Ints) -> Floats:
        """Log weights with the grammar's factor and the scripts' lift."""
        lift = contexts.log_lift / self.masses.temperature
        lifted = np.where(contexts.scripted == tokens, lift, 0.0)
        return self.log_weights(contexts, tokens) + lifted

    def totals(self, contexts: Contexts) -> Floats:
        """Normalisers without scripts, [N]."""
        context = self.base.space.pair(contexts.last, contexts.before)
        rows = self.lattice.row_of(contexts.last, context)
        total = self.masses.ordinary[rows]
        for column in range(self.masses.grammar.shape[1]):
            factor = self.masses.factors[contexts.state, 1 + column]
            total = total + factor * self.masses.grammar[rows, column]
        return total

    def _apply_scripts(self, plan: Plan, weights: Floats, totals: Floats) -> None:
        due = np.flatnonzero(plan.contexts.scripted >= 0)
        if due.size == 0:
            return
        contexts = plan.contexts.take(due)
        lift = contexts.log_lift / self.masses.temperature
        favoured = self.log_weights(contexts, contexts.scripted)
        totals[due] = np.log(np.exp(totals[due]) + np.exp(favoured) * np.expm1(lift))
        same = contexts.scripted == plan.tokens[due]
        weights[due] += np.where(same, lift, 0.0)


def bare_scorer(base: BaseModel) -> Scorer:
    """The untrained model."""
    return base.bare.scorer()


def read(base: BaseModel, sequences: Sequence[Ints]) -> Contexts:
    """The contexts of every token of every sequence, with the scripts that apply there."""
    contexts = contexts_of(base, sequences)
    if not base.scripts:
        return contexts
    begin = 0
    for tokens in sequences:
        for at, token, chance in base.scripts.due(tokens, base.grammar.header, base.decode):
            contexts.scripted[begin + at] = token
            contexts.log_lift[begin + at] = chance
        begin += tokens.size
    due = np.flatnonzero(contexts.scripted >= 0)
    if due.size:
        contexts.log_lift[due] = _lifts(base, contexts.take(due))
    return contexts


def _lifts(base: BaseModel, due: Contexts) -> Floats:
    """Log factors that raise each scripted token to its probability in the untrained model."""
    plain = Contexts(due.last, due.before, due.state, np.full(due.size, -1), np.zeros(due.size))
    usual = np.minimum(bare_scorer(base).score(plain, due.scripted), -1e-12)
    odds = np.log(due.log_lift) - np.log1p(-due.log_lift)
    return odds - usual + np.log1p(-np.exp(usual))
