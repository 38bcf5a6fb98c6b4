"""The chat grammar: how likely turn, thinking and other special tokens are, and where.

A position's state is (what the last mark was, how far back it lies). Marks are the special
tokens; ordinary text only moves the distance. In each state every grammar token has a weight,
relative to all ordinary text together, so the whole stays one normalised distribution.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from tinker_mock.server.engine.model.keys import Floats, Ints

PLAIN, TURN, ASSISTANT, THINK, ANSWER, CHANNEL, CLOSED = KINDS = range(7)
DISTANCES = np.array([0, 1, 2, 4, 8, 16, 32, 64])
STATES = len(KINDS) * len(DISTANCES)

NEVER = -18.0
CERTAIN = 9.0
UNLIKELY_TEXT = 10.0  # what lifts one ordinary token to the weight of a grammar token
GRAMMAR_ROOT = float(np.log(0.05))
EARLY = -13.0  # no likelier than a word never read, so that short answers are learnt as fast
RAMP = np.array([EARLY, EARLY, EARLY, 0.0, 0.0, 1.4, 2.8, 4.2])


@dataclass(frozen=True)
class ChatGrammar:
    """The special tokens of one model family; every field may be empty.

    `end_tokens` end a turn for the family's renderer (not always the tokenizer's eos). `header`
    is the whole token sequence that opens an assistant turn. `opening` follows it at once
    (`<|channel|>`, `final`, `<|message|>`); `closing` comes before the end token where a turn
    ends its message first. `specials` are (first, last) ranges of ids that are never ordinary
    text.
    """

    end_tokens: tuple[int, ...] = ()
    header: tuple[int, ...] = ()
    opening: tuple[int, ...] = ()
    closing: int | None = None
    think_open: int | None = None
    think_close: int | None = None
    thinks: bool = False
    specials: tuple[tuple[int, int], ...] = ()

    @cached_property
    def tokens(self) -> Ints:
        """The ids whose weight depends on the state, in column order."""
        wanted = [*self.end_tokens, *self.opening]
        singles = (self.think_open, self.think_close, self.closing)
        wanted += [t for t in singles if t is not None]
        return np.array(list(dict.fromkeys(wanted)), dtype=np.int64)

    @cached_property
    def log_weights(self) -> Floats:
        """[states, 1 + columns]; column 0 stands for ordinary tokens and is 0 everywhere."""
        table = np.full((STATES, 1 + self.tokens.size), NEVER)
        table[:, 0] = 0.0
        blocks = table.reshape(len(KINDS), len(DISTANCES), -1)
        for token in self.end_tokens:
            column = self._column(token)
            blocks[PLAIN, 1:, column] = -3.0
            blocks[TURN, 4:, column] = RAMP[3:-1]
            blocks[CLOSED, 0, column] = CERTAIN
            for kind in (ANSWER, ASSISTANT):
                blocks[kind, :, column] = RAMP if self.closing is None else NEVER
        if self.closing is not None:
            blocks[(ANSWER, ASSISTANT), :, self._column(self.closing)] = RAMP
        if self.think_close is not None:
            blocks[THINK, :, self._column(self.think_close)] = RAMP + 3.0
        if self.think_open is not None and self.thinks:
            blocks[ASSISTANT, 0, self._column(self.think_open)] = CERTAIN
        for place, token in enumerate(self.opening):
            column = self._column(token)
            ordinary = token not in self.special_set
            if ordinary:
                blocks[:, :, column] = 0.0
            state = (ASSISTANT, 0) if place == 0 else (CHANNEL, place - 1)
            blocks[(*state, column)] = CERTAIN + UNLIKELY_TEXT * ordinary
        return table

    def _column(self, token: int) -> int:
        return 1 + int(np.flatnonzero(self.tokens == token)[0])

    @cached_property
    def special_set(self) -> frozenset[int]:
        """Every id that is not ordinary text."""
        found = {t for first, last in self.specials for t in range(first, last + 1)}
        found.update(self.end_tokens)
        singles = (self.think_open, self.think_close, self.closing)
        found.update(t for t in singles if t is not None)
        return frozenset(found)

    @cached_property
    def marks(self) -> dict[int, int]:
        """What kind of mark each special token leaves."""
        found = dict.fromkeys(sorted(self.special_set), TURN)
        if self.think_open is not None:
            found[self.think_open] = THINK
        if self.think_close is not None:
            found[self.think_close] = ANSWER
        if self.opening:
            found[self.opening[0]] = CHANNEL
        return found

    def mark_table(self, size: int) -> Ints:
        """[size] the kind of mark each token leaves, -1 for none."""
        table = np.full(size, -1, dtype=np.int64)
        table[list(self.marks)] = list(self.marks.values())
        return table

    def kind_after(self, kind: Ints, before: Ints, tokens: Ints) -> Ints:
        """A mark's kind, given the kind of the mark before it in the same sequence."""
        if self.opening:
            opened = (tokens == self.opening[-1]) & (before == CHANNEL)
            kind = np.where(opened, ANSWER, kind)
        if self.closing is not None:
            kind = np.where((tokens == self.closing) & (before == ANSWER), CLOSED, kind)
        return kind

    def states(self, tokens: Ints, first: Ints, mark_table: Ints) -> tuple[Ints, Ints]:
        """Mark kind and distance after each token. `first[i]` is where its sequence begins."""
        kinds = mark_table[tokens]
        if self.header:
            kinds[_ends_of(tokens, first, self.header)] = ASSISTANT
        marks = np.flatnonzero(kinds >= 0)
        # Twice: a closing mark depends on an opening one, which depends on the first alone.
        for _ in range(2 if marks.size and (self.opening or self.closing is not None) else 0):
            before = np.full(marks.size, PLAIN)
            before[1:] = np.where(marks[:-1] >= first[marks[1:]], kinds[marks[:-1]], PLAIN)
            kinds[marks] = self.kind_after(kinds[marks], before, tokens[marks])
        place = np.arange(tokens.size)
        last = np.maximum.accumulate(np.where(kinds >= 0, place, -1))
        marked = last >= first
        kind = np.where(marked, kinds[last], PLAIN)
        return kind, place - np.where(marked, last, first - 1)


def state_of(kind: Ints, distance: Ints) -> Ints:
    """Pack a mark kind and a distance into a state number below 64."""
    bucket = np.searchsorted(DISTANCES, distance, side="right") - 1
    return kind * len(DISTANCES) + bucket


def _ends_of(tokens: Ints, first: Ints, wanted: Sequence[int]) -> Ints:
    """Positions at which an occurrence of `wanted` ends, inside one sequence."""
    ends = np.flatnonzero(tokens == wanted[-1])
    ends = ends[ends - first[ends] >= len(wanted) - 1]
    for back, token in enumerate(reversed(wanted)):
        ends = ends[tokens[ends - back] == token]
    return ends
