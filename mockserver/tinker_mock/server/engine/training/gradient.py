"""From slopes of the loss to gradients of the adapter.

With g_i = dL/dlogp_i, a listed token's log weight w in a context c has the slope

    sum of g_i where it is the target's deepest entry - sum over positions of g_i * p(w's share)

and the second sum follows the context tree, since total(c) = total(parent) + sum over c's entries
of (weight - parent entry's weight): it costs the listed entries only. A parameter shifts its own
entry and all that descend from it, so slopes are summed up from the longest contexts to the root.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from tinker_mock.server.engine.model.adapter import Adapter
from tinker_mock.server.engine.model.contexts import Contexts
from tinker_mock.server.engine.model.keys import Floats, Ints
from tinker_mock.server.engine.model.normalisers import GAIN, Prepared
from tinker_mock.server.engine.model.score import Answers, Scorer, deepest_of


@dataclass(frozen=True)
class Slopes:
    """One call's slopes.

    Pulls [M]: a token at a context (`owner` numbers the contexts), its slope, its deepest entry.
    Pushes [N]: per context the summed slopes divided by its normaliser.
    """

    contexts: Contexts
    owner: Ints
    tokens: Ints
    pulls: Floats
    entries: Ints
    pushes: Floats
    chains: Ints
    prepared: Prepared | None


@dataclass
class PendingSlopes:
    """What forward_backward calls have gathered since the last optimizer step."""

    parts: list[Slopes] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.parts)

    def gather(self, scorer: Scorer, answers: Answers, slopes: Floats) -> None:
        """Add one call's slopes (dL/dlogp, [M])."""
        if not np.any(slopes):
            return
        questions, size = answers.questions, answers.chains.shape[1]
        owner = np.arange(size) if questions.owner is None else questions.owner
        weighted = np.bincount(owner, slopes, size).astype(np.float64)
        used = np.flatnonzero(slopes)
        parts = [
            (owner[used], questions.tokens[used], slopes[used], answers.entries[used]),
            _scripted(scorer, answers, weighted),
        ]
        owners, tokens, pulls, entries = (np.concatenate(part) for part in zip(*parts, strict=True))
        pushes = weighted * np.exp(-answers.log_lifted)
        self.parts.append(
            Slopes(
                questions.contexts,
                owners,
                tokens,
                pulls,
                entries,
                pushes,
                answers.chains,
                answers.prepared,
            )
        )

    def admitted(self, adapter: Adapter) -> None:
        """Make parameters of all that is pulled on, as far as the rank allows."""
        keys, tokens = [], []
        for part in self.parts:
            lacking = np.flatnonzero(adapter.lacks(part.entries))
            keys.append(part.contexts.keys[:, part.owner[lacking]])
            tokens.append(part.tokens[lacking])
        if not sum(one.size for one in tokens):
            return
        adapter.admit(np.concatenate(keys, axis=1), np.concatenate(tokens))
        self.parts = [self._found_again(adapter, part) for part in self.parts]

    @staticmethod
    def _found_again(adapter: Adapter, part: Slopes) -> Slopes:
        chains = adapter.table.chains(part.contexts.keys)
        entries = adapter.table.deepest_entries(chains[:, part.owner], part.tokens)
        return Slopes(
            part.contexts, part.owner, part.tokens, part.pulls, entries, part.pushes, chains, None
        )


def _scripted(scorer: Scorer, answers: Answers, slopes: Floats) -> tuple[Ints, Ints, Floats, Ints]:
    """The pulls on tokens that scripted answers lift: each has a second share of its normaliser."""
    contexts = answers.questions.contexts
    due = np.flatnonzero((contexts.scripted >= 0) & (slopes != 0.0))
    at = contexts.take(due)
    share = np.exp(scorer.log_weights(at, at.scripted) - answers.log_lifted[due])
    pulls = -slopes[due] * share * np.expm1(at.log_lift)
    entries = scorer.table.deepest_entries(answers.chains[:, due], at.scripted)
    return due, at.scripted, pulls, entries


def gradient(adapter: Adapter, scorer: Scorer, pending: PendingSlopes) -> tuple[Ints, Floats]:
    """The parameters that the slopes reach, and dL/d(each)."""
    (first, *others) = pending.parts
    prepared = first.prepared
    if prepared is None or others:
        prepared = scorer.prepare(np.concatenate([part.chains for part in pending.parts], axis=1))
    push = _pushes(adapter, scorer, prepared, pending)
    slopes = _summed_up(adapter, scorer, prepared, pending, push)
    trained = adapter.trained.values[prepared.entries]
    return prepared.entries[trained], GAIN * slopes[trained]


def _pushes(adapter: Adapter, scorer: Scorer, prepared: Prepared, pending: PendingSlopes) -> Floats:
    """Per entry: slopes over normalisers, times the grammar's factor, of all that go through its
    context."""
    table, factors = adapter.table, scorer.normalisers.factors
    width, count = factors.shape[1], prepared.contexts.size
    number = np.empty(table.contexts.size, dtype=np.int64)
    number[prepared.contexts] = np.arange(count)
    sums = np.zeros(count * width)
    for part in pending.parts:
        at = number[deepest_of(part.chains)][:, None] * width + np.arange(width)
        weights = part.pushes[:, None] * factors[part.contexts.state]
        sums += np.bincount(at.ravel(), weights.ravel(), sums.size)
    sums = sums.reshape(count, width)
    up = number[table.context_parent.values[prepared.contexts]]
    for level in range(prepared.levels.size - 2, 0, -1):
        begin, end = prepared.levels[level], prepared.levels[level + 1]
        above, size = prepared.levels[level - 1], begin - prepared.levels[level - 1]
        at = (up[begin:end] - above)[:, None] * width + np.arange(width)
        more = np.bincount(at.ravel(), sums[begin:end].ravel(), size * width)
        sums[above:begin] += more.reshape(size, width)
    owner = np.repeat(np.arange(count), prepared.lengths)
    found: Floats = sums[owner, table.column.values[prepared.entries]]
    return found


def _summed_up(
    adapter: Adapter, scorer: Scorer, prepared: Prepared, pending: PendingSlopes, push: Floats
) -> Floats:
    """Per entry: the slope of its shift, its descendants' included."""
    table, entries, cuts = adapter.table, prepared.entries, prepared.cuts
    number = np.full(table.entries.size, -1, dtype=np.int64)
    number[entries] = np.arange(entries.size)
    found = -push * scorer.normalisers.weight[entries]
    for part in pending.parts:
        at = number[part.entries]
        at[part.entries < 0] = -1
        here = at >= 0
        found += np.bincount(at[here], part.pulls[here], entries.size)
    parents = table.parent.values[entries]
    for level in range(cuts.size - 2, 0, -1):
        begin, end, above = cuts[level], cuts[level + 1], cuts[level - 1]
        to = number[parents[begin:end]]
        here = to >= 0  # order 0 has entries that nothing lists
        carried = found[begin:end] + push[begin:end] * scorer.normalisers.weight[parents[begin:end]]
        found[above:begin] += np.bincount(to[here] - above, carried[here], begin - above)
    return found
