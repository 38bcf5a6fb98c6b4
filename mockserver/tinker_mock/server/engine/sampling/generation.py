"""The growing part of a request's samples: tokens, grammar state, who is still running."""

from collections.abc import Sequence

import numpy as np

from tinker_mock.server.budget import checkpoint, reserve
from tinker_mock.server.engine.model.base_model import BaseModel
from tinker_mock.server.engine.model.contexts import Contexts, Trail
from tinker_mock.server.engine.model.grammar import ASSISTANT, state_of
from tinker_mock.server.engine.model.keys import Bools, Ints
from tinker_mock.server.engine.sampling.counter_rng import Seeds, mixed
from tinker_mock.server.engine.sampling.scripted_run import Begin, ScriptedRun
from tinker_mock.server.engine.sampling.stops import Stops

SEEDS_AHEAD = 32
"""Steps whose seeds are mixed in one go."""
STEP_BYTES = 64
"""A token and the context it was drawn in."""


class Generation:
    """One continuation of each prompt, advanced together; prompts may be equal.

    Each sequence takes its random numbers from its own seed, and ends at its own limit.
    """

    def __init__(
        self,
        base: BaseModel,
        prompts: Sequence[Ints],
        seeds: Sequence[int],
        limits: Sequence[int],
        stops: Stops,
        begins: Sequence[Begin],
    ) -> None:
        self.base = base
        self.prompts = prompts
        self.stops = stops
        count = len(prompts)
        self.length = 0
        self.limits = np.array(limits, dtype=np.int64)
        self.active = np.arange(count)
        self.stopped = np.zeros(count, dtype=bool)
        self.tokens = np.zeros((count, 64), dtype=np.int64)
        self.lengths = np.zeros(count, dtype=np.int64)
        self._seeds: Seeds = np.array(seeds, dtype=np.uint64)
        self._ahead = np.zeros((0, count), dtype=np.uint64)
        number = {id(prompt): place for place, prompt in enumerate(prompts)}
        distinct = list(dict.fromkeys(number.values()))
        place_of = {place: row for row, place in enumerate(distinct)}
        rows = np.array([place_of[number[id(prompt)]] for prompt in prompts], dtype=np.int64)
        ends = self._ends([prompts[place] for place in distinct])
        self._kind, self._distance = ends[0][rows], ends[1][rows]
        self._tail = list(ends[2][rows].T)
        self._trail = Trail(base.frozen, [prompts[place] for place in distinct], rows)
        self._steps: list[tuple[Ints, Contexts]] = []
        self._scripts = ScriptedRun(base, prompts, begins) if base.scripted_answers else None
        self._keep(np.flatnonzero(self.limits > 0))

    def _ends(self, prompts: Sequence[Ints]) -> tuple[Ints, Ints, Ints]:
        """Grammar state (kind, distance) and last tokens of every prompt."""
        frozen = self.base.frozen
        lengths = np.array([prompt.size for prompt in prompts], dtype=np.int64)
        ends = np.cumsum(lengths)
        text = np.concatenate(prompts)
        text = np.where(text < 0, frozen.space.placeholder, text)
        first = np.repeat(ends - lengths, lengths)
        kind, distance = frozen.grammar.states(text, first, frozen.mark_table)
        width = max(1, len(frozen.grammar.header))
        at = ends[:, None] - np.arange(width, 0, -1)
        known = at >= (ends - lengths)[:, None]
        tail = np.where(known, text[np.maximum(at, 0)], frozen.space.start)
        return kind[ends - 1], distance[ends - 1], tail

    def contexts(self) -> Contexts:
        """Where each running sequence stands, as it is drawn from."""
        run = self.active
        reserve(run.size * STEP_BYTES)
        at = Contexts(
            keys=self._trail.keys,
            state=state_of(self._kind, self._distance),
            scripted=np.zeros((0, run.size), dtype=np.int64),
            log_lift=np.zeros((0, run.size)),
        )
        if self._scripts is None:
            self._steps.append((run, at))
            return at
        scored, drawn = self._scripts.lifted(at, run)
        self._steps.append((run, scored))
        return drawn

    def seeds(self) -> Seeds:
        """[running] one seed per sequence, for its next token."""
        step = self.length % SEEDS_AHEAD
        if step == 0:
            numbers = self.length + np.arange(SEEDS_AHEAD)
            self._ahead = mixed(self._seeds, numbers[:, None])
        found: Seeds = self._ahead[step]
        return found

    def advance(self, drawn: Ints) -> None:
        """Append one token to every running sequence and end those that stop."""
        run = self.active
        if self.length == self.tokens.shape[1]:
            self.tokens = np.concatenate([self.tokens, np.zeros_like(self.tokens)], axis=1)
        self.tokens[run, self.length] = drawn
        self.length += 1
        self.lengths[run] = self.length
        self._trail.advance(drawn)
        opened = self._mark(drawn)
        if self._scripts is not None:
            self._scripts.advance(run, self.tokens[run, : self.length], opened)
        ended = self.stops.reached(drawn, self._written)
        self.stopped[run[ended]] = True
        going = ~ended & (self.limits[run] > self.length)
        if not going.all():
            self._keep(np.flatnonzero(going))

    def _written(self, most: int) -> Ints:
        """[running, most] the last tokens of every running sequence, or all."""
        return self.tokens[self.active, max(self.length - most, 0) : self.length]

    def _mark(self, drawn: Ints) -> Bools:
        """Bring the grammar's state up to date; which sequences opened an assistant's turn."""
        frozen, tail = self.base.frozen, self._tail
        header, kind = frozen.grammar.header, frozen.mark_table[drawn]
        tail.append(drawn)
        del tail[0]
        if header and (drawn == header[-1]).any():
            opened = np.logical_and.reduce([t == h for t, h in zip(tail, header, strict=True)])
            kind[opened] = ASSISTANT
        marked = kind >= 0
        self._distance = self._distance + 1
        if marked.any():
            kind[marked] = frozen.grammar.kind_after(
                kind[marked], self._kind[marked], drawn[marked]
            )
            self._kind = np.where(marked, kind, self._kind)
            self._distance[marked] = 0
        found: Bools = kind == ASSISTANT
        return found

    def _keep(self, index: Ints) -> None:
        """Go on with these of the running sequences."""
        if index.size < self._kind.size:
            self._kind, self._distance = self._kind[index], self._distance[index]
            self._tail = [tokens[index] for tokens in self._tail]
            self._seeds, self._ahead = self._seeds[index], self._ahead[:, index]
            self._trail.keep(index)
        self.active = self.active[index]

    def result(self, begin: int = 0) -> tuple[Ints, Ints, Contexts]:
        """All tokens end to end, each sequence's length, and every token's context.

        `begin` leaves out what each sequence had at that length.
        """
        steps = self._steps[begin:]
        lengths = np.maximum(self.lengths - begin, 0)
        starts = np.cumsum(lengths) - lengths
        places = [starts[run] + step for step, (run, _) in enumerate(steps)]
        checkpoint()
        places_of = np.concatenate(places)
        order = np.empty(places_of.size, dtype=np.int64)
        order[places_of] = np.arange(places_of.size)
        whole = Contexts.joined([at for _, at in steps]).take(order)
        tokens = [self.tokens[i, begin : begin + size] for i, size in enumerate(lengths)]
        return np.concatenate(tokens), lengths, whole
