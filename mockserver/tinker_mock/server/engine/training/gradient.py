"""From slopes of the loss to gradients of the adapter.

With g_i = dL/dlogp_i, a listed token's log weight w in a context c has the slope

    sum of g_i where it is the target's deepest entry - sum over positions of g_i * p(w's share)

and the second sum follows the context tree, since total(c) = total(parent) + sum over c's entries
of (weight - parent entry's weight): it costs the listed entries only. A parameter shifts its own
entry and all that descend from it, so slopes are summed up from the longest contexts to the root.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from tinker_mock.server.budget import checkpoint
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

    @property
    def size(self) -> int:
        """The positions and targets they come from."""
        return sum(part.contexts.size + part.tokens.size for part in self.parts)

    def gather(self, scorer: Scorer, answers: Answers, slopes: Floats) -> None:
        """Add one call's slopes (dL/dlogp, [M])."""
        if not np.any(slopes):
            return
        questions, size = answers.questions, answers.chains.shape[1]
        owner = np.arange(size) if questions.owner is None else questions.owner
        weighted = slopes
        if questions.owner is not None:
            weighted = np.bincount(owner, slopes, size).astype(np.float64)
        used = np.flatnonzero(slopes)
        parts = [
            (owner[used], questions.tokens[used], slopes[used], answers.entries[used]),
            *_scripted(scorer, answers, weighted),
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


def _scripted(
    scorer: Scorer, answers: Answers, slopes: Floats
) -> Iterator[tuple[Ints, Ints, Floats, Ints]]:
    """The pulls on tokens that scripted answers lift: each has a second share of its normaliser."""
    contexts = answers.questions.contexts
    for scripted, log_lift in contexts.lifts():
        due = np.flatnonzero((scripted >= 0) & (slopes != 0.0))
        tokens = scripted[due]
        share = np.exp(scorer.log_weights(contexts.take(due), tokens) - answers.log_lifted[due])
        pulls = -slopes[due] * share * np.expm1(log_lift[due])
        entries = scorer.table.deepest_entries(answers.chains[:, due], tokens)
        yield due, tokens, pulls, entries


@dataclass(frozen=True)
class Gradient:
    """The entries of the parameters that a loss reaches, what they are, and dL/d(each)."""

    entries: Ints
    values: Floats
    slopes: Floats

    @classmethod
    def nothing(cls) -> Gradient:
        """That of no loss."""
        return cls(np.zeros(0, dtype=np.int64), np.zeros(0), np.zeros(0))


def gradient(adapter: Adapter, scorer: Scorer, pending: PendingSlopes) -> Gradient:
    """The gradient of all that was gathered."""
    (first, *others) = pending.parts
    prepared = first.prepared
    if prepared is None or others:
        prepared = scorer.prepare(np.concatenate([part.chains for part in pending.parts], axis=1))
    checkpoint()
    push = _pushes(adapter, scorer, prepared, pending)
    slopes = _summed_up(adapter, scorer, prepared, pending, push)
    trained = prepared.trained
    return Gradient(prepared.entries[trained], prepared.values, GAIN * slopes[trained])


def _pushes(adapter: Adapter, scorer: Scorer, prepared: Prepared, pending: PendingSlopes) -> Floats:
    """Per entry: slopes over normalisers, times the grammar's factor, of all that go through its
    context."""
    table, factors = adapter.table, scorer.normalisers.factors
    width, contexts = factors.shape[1], prepared.contexts
    columns = np.arange(width)
    sums = np.zeros(contexts.size * width)
    for part in pending.parts:
        checkpoint()
        used = np.flatnonzero(part.pushes)
        deepest = deepest_of(part.chains[:, used])
        at = scorer.numbers.of(contexts, deepest, table.contexts.size)
        weights = part.pushes[used, None] * factors[part.contexts.state[used]]
        sums += np.bincount((at[:, None] * width + columns).ravel(), weights.ravel(), sums.size)
    sums = sums.reshape(contexts.size, width)
    parents = table.context_parent.values[contexts]
    up = scorer.numbers.of(contexts, parents, table.contexts.size)
    levels = prepared.levels.tolist()
    for level in range(len(levels) - 2, 0, -1):
        above, begin, end = levels[level - 1], levels[level], levels[level + 1]
        at = (up[begin:end, None] - above) * width + columns
        more = np.bincount(at.ravel(), sums[begin:end].ravel(), (begin - above) * width)
        sums[above:begin] += more.reshape(-1, width)
    found = np.repeat(sums[:, 0], prepared.lengths)
    found[prepared.marked] = sums[prepared.owner, prepared.column]
    return found


def _summed_up(
    adapter: Adapter, scorer: Scorer, prepared: Prepared, pending: PendingSlopes, push: Floats
) -> Floats:
    """Per entry: the slope of its shift, its descendants' included."""
    size, numbers = prepared.entries.size, scorer.normalisers.numbers
    found = -push * prepared.weight
    for part in pending.parts:
        checkpoint()
        at = numbers.of(prepared.entries, part.entries, adapter.table.entries.size)
        here = at >= 0
        found += np.bincount(at[here], part.pulls[here], size)
    carried, cuts = push * prepared.above, prepared.cuts.tolist()
    for level in range(len(cuts) - 2, 0, -1):
        above, begin, end = cuts[level - 1], cuts[level], cuts[level + 1]
        more = carried[begin:end] + found[begin:end]
        # Order 0 has entries that nothing lists: their place is -1.
        at = prepared.up[begin:end] - (above - 1)
        found[above:begin] += np.bincount(at, more, begin - above + 1)[1:]
    return found
