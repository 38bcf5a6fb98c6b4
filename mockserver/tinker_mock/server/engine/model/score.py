"""Exact log-probabilities: one code path for training, prompts and samples.

Every value is a function of the weights and of one (context, token) alone, so it does not depend
on what else is in the batch. float64 throughout; callers round once.
"""

from __future__ import annotations

from dataclasses import dataclass
from threading import Lock

import numpy as np
from numpy.typing import NDArray

from tinker_mock.server.budget import checkpoint
from tinker_mock.server.engine.model.context_tables import LISTED_ORDERS, MANY, ContextTable
from tinker_mock.server.engine.model.contexts import Contexts
from tinker_mock.server.engine.model.hashing import Hashes
from tinker_mock.server.engine.model.keys import Bools, Floats, Ints
from tinker_mock.server.engine.model.layouts import Layout
from tinker_mock.server.engine.model.normalisers import Normalisers, Prepared
from tinker_mock.server.engine.model.plans import Place, Plan, Plans, Questions


@dataclass(frozen=True)
class Answers:
    """Log-probabilities [M], and what they were made of.

    `log_total` [N] is the log normaliser without scripted answers, `log_lifted` [N] with them.
    """

    questions: Questions
    place: Place
    logprobs: Floats
    log_lifted: Floats
    prepared: Prepared | None


def deepest_of(chains: Ints) -> Ints:
    """[N] the longest listed context of each chain."""
    depth = (chains >= 0).sum(axis=0) - 1
    found: Ints = chains[depth, np.arange(chains.shape[1])]
    return found


class Scorer:
    """Log-probabilities under one set of weights at one temperature.

    Weights that may change have a scorer without `lock`: it prepares the contexts it is asked about
    every time. Others prepare each context once, and then it is `ready` [contexts]; whoever adds
    contexts to the table holds the lock.
    """

    def __init__(
        self,
        table: ContextTable,
        normalisers: Normalisers,
        lock: Lock | None = None,
        plans: Plans | None = None,
    ) -> None:
        self.frozen = table.frozen
        self.table = table
        self.normalisers = normalisers
        self.lock = lock
        self.ready: Bools = np.zeros(0, dtype=bool)
        self.plans = plans
        self._marks: NDArray[np.int32] = np.zeros(0, dtype=np.int32)

    def score(self, contexts: Contexts, tokens: Ints) -> Floats:
        """log p(token | context), [N]."""
        return self.answer(Questions(contexts, tokens)).logprobs

    def answer(self, questions: Questions) -> Answers:
        """log p of every question."""
        contexts, state = questions.contexts, questions.contexts.state
        prepared, place = None, self._place(questions) if self.lock else self.plan(questions)
        if isinstance(place, Plan):
            # Scripted answers look weights up.
            keep, normalisers = contexts.scripted.size > 0, self.normalisers
            prepared = (normalisers.prepare if keep else normalisers.sum_up)(place.layout)
            shifted = place.plain + prepared.shift.take(place.places)
            weights = normalisers.tempered(shifted) + place.factor
        else:
            weights = self._log_weights(place.entries, questions.spread(state), questions.tokens)
        checkpoint()
        total = np.log(self._totals(place.deepest, state))
        self._apply_scripted(questions, place.chains, weights, total)
        logprobs = weights - questions.spread(total)
        return Answers(questions, place, logprobs, total, prepared)

    def _place(self, questions: Questions) -> Place:
        chains, deepest = self._located(questions.contexts.keys)
        checkpoint()
        entries = self.table.deepest_entries(questions.spread(chains), questions.tokens)
        checkpoint()
        return Place(chains, deepest, entries)

    def asked(self, name: bytes) -> Questions | None:
        """The questions of this name, if they are remembered."""
        known = None if self.plans is None else self.plans.get(self, name)
        return None if known is None else known.questions

    def plan(self, questions: Questions) -> Plan:
        """Where the questions lie, and what their answers take. That of questions which are
        expected again is kept until the table lists more."""
        if self.plans is None or questions.name is None:
            return self._planned(questions)
        known = self.plans.get(self, questions.name)
        if known is None or known.revision != self._revision():
            known = self._planned(questions)
            self.plans.put(self, questions.name, known)
        return known

    def _planned(self, questions: Questions) -> Plan:
        place, tokens = self._place(questions), questions.tokens
        layout = self.lay_out(place.chains)
        checkpoint()
        numbers, size = self.normalisers.numbers, self.table.entries.size
        places = numbers.of(layout.entries, place.entries, size)
        plain, there = self.frozen.prior.root[tokens], np.flatnonzero(places >= 0)
        plain[there] = layout.plain[places[there]]
        state = questions.spread(questions.contexts.state)
        return Plan(
            place.chains,
            place.deepest,
            place.entries,
            questions=questions,
            revision=self._revision(),
            layout=layout,
            places=places,
            plain=plain,
            factor=self._log_factors(state, tokens),
        )

    def _revision(self) -> tuple[int, ...]:
        table = self.table
        return (table.contexts.size, table.entries.size, self.normalisers.parameters.revision)

    def chains(self, keys: Hashes) -> Ints:
        """[orders, N] the contexts of every place, as `ContextTable.chains`; those of weights that
        do not change are ready."""
        return self._located(keys)[0]

    def deepest(self, keys: Hashes) -> Ints:
        """[N] the longest listed context of every place; see `chains`."""
        return self._located(keys)[1]

    def _located(self, keys: Hashes) -> tuple[Ints, Ints]:
        if self.lock is None:
            chains = self.table.chains(keys)
            return chains, deepest_of(chains)
        with self.lock:
            chains = self.table.chains(keys)
            deepest = deepest_of(chains)
            self._fit()
            if not self.ready.take(deepest).all():
                self._make_ready(chains)
        return chains, deepest

    def _fit(self) -> None:
        more = self.table.contexts.size - self.ready.size
        if more:
            self.ready = np.append(self.ready, np.zeros(more, dtype=bool))

    def _make_ready(self, chains: Ints) -> None:
        levels = self.levels(chains)
        if self.table.taken > MANY:
            self.table.take_over_rest()
            self._fit()
            rest = np.flatnonzero(~self.ready)
            orders = self.table.order.values[rest]
            levels[1 : LISTED_ORDERS + 1] = [
                rest[orders == order] for order in range(1, LISTED_ORDERS + 1)
            ]
        levels = [level[~self.ready[level]] for level in levels]
        self.normalisers.prepare(self.normalisers.lay_out(levels))
        self.ready[np.concatenate(levels)] = True

    def lay_out(self, chains: Ints) -> Layout:
        """Every context of the chains, with what it lists."""
        return self.normalisers.lay_out(self.levels(chains))

    def levels(self, chains: Ints) -> list[Ints]:
        """The distinct contexts of each order."""
        if self._marks.size < self.table.contexts.size:
            self._marks = np.zeros(self.table.contexts.size * 5 // 4, dtype=np.int32)
        found = [np.zeros(1, dtype=np.int64)]
        for order in range(1, chains.shape[0]):
            here = chains[order][chains[order] >= 0]
            number = np.arange(here.size)
            self._marks[here] = number
            found.append(here[self._marks[here] == number])
        return found

    def log_weights(self, contexts: Contexts, tokens: Ints) -> Floats:
        """Log weights with the grammar's factor, nothing scripted."""
        entries = self.table.deepest_entries(self.chains(contexts.keys), tokens)
        return self._log_weights(entries, contexts.state, tokens)

    def lifted_log_weights(self, contexts: Contexts, tokens: Ints) -> Floats:
        """Log weights with the grammar's factor and the lift of scripted answers."""
        found = self.log_weights(contexts, tokens)
        for scripted, log_lift in contexts.lifts():
            lift = log_lift / self.normalisers.temperature
            found = found + np.where(scripted == tokens, lift, 0.0)
        return found

    def row(self, context: Contexts) -> Floats:
        """[vocabulary] lifted log weights of one context (arrays of length 1)."""
        deepest = int(self.deepest(context.keys)[0])
        factors = self.frozen.grammar.log_weights[context.state[0]] / self.normalisers.temperature
        found: Floats = self.normalisers.dense_log_weights(deepest)
        found += factors[self.frozen.column_of]
        for (scripted,), (log_lift,) in context.lifts():
            if scripted >= 0:
                found[scripted] += log_lift / self.normalisers.temperature
        return found

    def totals(self, contexts: Contexts) -> Floats:
        """Normalisers with nothing scripted, [N]."""
        return self._totals(self.deepest(contexts.keys), contexts.state)

    def plain_log_weights(self, entries: Ints, tokens: Ints) -> Floats:
        """Log weights without the grammar's factor; `entries` are the tokens' deepest ones."""
        normalisers = self.normalisers
        found = self.frozen.prior.root[tokens] / normalisers.temperature
        # Entries that only came since are of order 0, and weigh what the root does.
        there = np.flatnonzero((entries >= 0) & (entries < normalisers.shift.size))
        found[there] = normalisers.log_weight(entries[there])
        return found

    def _log_weights(self, entries: Ints, state: Ints, tokens: Ints) -> Floats:
        found = self.plain_log_weights(entries, tokens)
        found += self._log_factors(state, tokens)
        return found

    def _log_factors(self, state: Ints, tokens: Ints) -> Floats:
        factors = self.frozen.grammar.log_weights / self.normalisers.temperature
        found: Floats = factors[state, self.frozen.column_of[tokens]]
        return found

    def _totals(self, deepest: Ints, state: Ints) -> Floats:
        normalisers = self.normalisers
        total = normalisers.ordinary[deepest]
        for column in range(normalisers.grammar.shape[1]):
            factor = normalisers.factors[state, 1 + column]
            total = total + factor * normalisers.grammar[deepest, column]
        return total

    def _apply_scripted(
        self, questions: Questions, chains: Ints, weights: Floats, totals: Floats
    ) -> None:
        contexts = questions.contexts
        for scripted, log_lift in contexts.lifts():
            due = np.flatnonzero(scripted >= 0)
            lift = log_lift / self.normalisers.temperature
            entries = self.table.deepest_entries(chains[:, due], scripted[due])
            favoured = self._log_weights(entries, contexts.state[due], scripted[due])
            totals[due] = np.log(np.exp(totals[due]) + np.exp(favoured) * np.expm1(lift[due]))
            same = questions.spread(scripted) == questions.tokens
            weights += np.where(same, questions.spread(lift), 0.0)
