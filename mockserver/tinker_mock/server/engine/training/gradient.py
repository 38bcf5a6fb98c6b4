"""From slopes of the loss to gradients of the adapter.

With g_i = dL/dlogp_i, a listed token's log weight w in a context c has the slope

    sum of g_i where it is the target's deepest entry - sum over positions of g_i * p(w's share)

and the second sum follows the context tree, since total(c) = total(parent) + sum over c's entries
of (weight - parent entry's weight): it costs the listed entries only. A parameter shifts its own
entry and all that descend from it, so slopes are summed up from the longest contexts to the root.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from tinker_mock.server.budget import checkpoint
from tinker_mock.server.engine.model.adapter import Adapter
from tinker_mock.server.engine.model.keys import Floats, Ints
from tinker_mock.server.engine.model.normalisers import GAIN, Prepared
from tinker_mock.server.engine.model.plans import Place, Questions
from tinker_mock.server.engine.model.score import Answers, Scorer


@dataclass(frozen=True)
class Slopes:
    """One call's slopes.

    Pulls [M]: a token at a context (`owner` numbers the contexts), its slope, its deepest entry.
    Pushes [N]: per context the summed slopes divided by its normaliser.
    """

    questions: Questions
    place: Place
    owner: Ints
    tokens: Ints
    pulls: Floats
    entries: Ints
    pushes: Floats
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
        return sum(part.questions.contexts.size + part.tokens.size for part in self.parts)

    def gather(self, scorer: Scorer, answers: Answers, slopes: Floats) -> None:
        """Add one call's slopes (dL/dlogp, [M])."""
        if not slopes.any():
            return
        questions, size = answers.questions, answers.questions.contexts.size
        owner = np.arange(size) if questions.owner is None else questions.owner
        weighted = slopes
        if questions.owner is not None:
            weighted = np.bincount(owner, slopes, size).astype(np.float64)
        used = np.flatnonzero(slopes)
        pulls = (owner[used], questions.tokens[used], slopes[used], answers.place.entries[used])
        for more in _scripted(scorer, answers, weighted):
            parts = [np.concatenate(pair) for pair in zip(pulls, more, strict=True)]
            pulls = (parts[0], parts[1], parts[2], parts[3])
        pushes = weighted * np.exp(-answers.log_lifted)
        self.parts.append(
            Slopes(questions, answers.place, *pulls, pushes=pushes, prepared=answers.prepared)
        )

    def admitted(self, adapter: Adapter, scorer: Scorer) -> None:
        """Make parameters of all that is pulled on, as far as the rank allows."""
        keys, tokens = [], []
        for part in self.parts:
            lacking = np.flatnonzero(adapter.lacks(part.entries))
            keys.append(part.questions.contexts.keys[:, part.owner[lacking]])
            tokens.append(part.tokens[lacking])
        if not sum(one.size for one in tokens):
            return
        adapter.admit(np.concatenate(keys, axis=1), np.concatenate(tokens))
        self.parts = [self._found_again(scorer, part) for part in self.parts]

    @staticmethod
    def _found_again(scorer: Scorer, part: Slopes) -> Slopes:
        place = scorer.plan(part.questions)
        entries = scorer.table.deepest_entries(place.chains[:, part.owner], part.tokens)
        return replace(part, place=place, entries=entries, prepared=None)


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
        entries = scorer.table.deepest_entries(answers.place.chains[:, due], tokens)
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
    prepared = _prepared(scorer, pending.parts)
    checkpoint()
    push = _pushes(adapter, scorer, prepared, pending)
    slopes = _summed_up(adapter, scorer, prepared, pending, push)
    layout = prepared.layout
    return Gradient(layout.parameters, prepared.values, GAIN * slopes.take(layout.trained))


def _prepared(scorer: Scorer, parts: Sequence[Slopes]) -> Prepared:
    """All contexts that the slopes reach."""
    (first, *others) = parts
    if others:
        chains = np.concatenate([part.place.chains for part in parts], axis=1)
        return scorer.normalisers.sum_up(scorer.lay_out(chains))
    return first.prepared or scorer.normalisers.sum_up(scorer.plan(first.questions).layout)


def _pushes(adapter: Adapter, scorer: Scorer, prepared: Prepared, pending: PendingSlopes) -> Floats:
    """Per entry: slopes over normalisers, times the grammar's factor, of all that go through its
    context."""
    table, factors, layout = adapter.table, scorer.normalisers.factors, prepared.layout
    width, contexts = factors.shape[1], layout.contexts
    columns, numbers = np.arange(width), scorer.normalisers.context_numbers
    sums = np.zeros(contexts.size * width)
    for part in pending.parts:
        checkpoint()
        used = np.flatnonzero(part.pushes)
        at = numbers.of(contexts, part.place.deepest[used], table.contexts.size)
        weights = part.pushes[used, None] * factors[part.questions.contexts.state[used]]
        sums += np.bincount((at[:, None] * width + columns).ravel(), weights.ravel(), sums.size)
    sums = sums.reshape(contexts.size, width)
    up, levels = layout.context_up, layout.levels
    for level in range(len(levels) - 2, 0, -1):
        above, begin, end = levels[level - 1], levels[level], levels[level + 1]
        at = (up[begin:end, None] - above) * width + columns
        more = np.bincount(at.ravel(), sums[begin:end].ravel(), (begin - above) * width)
        sums[above:begin] += more.reshape(-1, width)
    found = np.repeat(sums[:, 0], layout.lengths)
    found[layout.marked] = sums[layout.owner, layout.column]
    return found


def _summed_up(
    adapter: Adapter, scorer: Scorer, prepared: Prepared, pending: PendingSlopes, push: Floats
) -> Floats:
    """Per entry: the slope of its shift, its descendants' included."""
    layout, numbers = prepared.layout, scorer.normalisers.numbers
    size, cuts = layout.entries.size, layout.cuts
    found = -push
    found *= prepared.weight
    for part in pending.parts:
        checkpoint()
        at = numbers.of(layout.entries, part.entries, adapter.table.entries.size)
        here = at >= 0
        found += np.bincount(at[here], part.pulls[here], size)
    push *= prepared.above
    for level in range(len(cuts) - 2, 0, -1):
        above, begin, end = cuts[level - 1], cuts[level], cuts[level + 1]
        more = push[begin:end] + found[begin:end]
        # Order 0 has entries that nothing lists: their place is -1.
        at = layout.up[begin:end] - (above - 1)
        found[above:begin] += np.bincount(at, more, begin - above + 1)[1:]
    return found
