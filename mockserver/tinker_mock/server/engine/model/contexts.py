"""Where each prediction is made: the tokens just before it and the grammar's state."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tinker_mock.server.engine.errors import EngineError
from tinker_mock.server.engine.model.frozen_model import FrozenModel
from tinker_mock.server.engine.model.grammar import state_of
from tinker_mock.server.engine.model.keys import Floats, Ints


@dataclass(frozen=True)
class Contexts:
    """Parallel arrays [N].

    `scripted` is the token that a scripted answer favours (-1 for none), `log_lift` the logarithm
    of the factor on its weight.
    """

    last: Ints
    before: Ints
    state: Ints
    scripted: Ints
    log_lift: Floats

    @property
    def size(self) -> int:
        return self.last.size

    @property
    def identity(self) -> tuple[int, int, int, int, float]:
        """What the first context's distribution depends on; a key to keep things by."""
        return (
            int(self.last[0]),
            int(self.before[0]),
            int(self.state[0]),
            int(self.scripted[0]),
            float(self.log_lift[0]),
        )

    def take(self, index: Ints | slice) -> Contexts:
        return Contexts(
            self.last[index],
            self.before[index],
            self.state[index],
            self.scripted[index],
            self.log_lift[index],
        )


def check_tokens(frozen: FrozenModel, tokens: Ints, field: str) -> None:
    """Refuse ids beyond the vocabulary; negative ids are placeholders."""
    if tokens.size and int(tokens.max()) >= frozen.vocabulary_size:
        raise EngineError(
            field,
            f"token id {int(tokens.max())} is outside the vocabulary of {frozen.name} "
            f"(0 to {frozen.vocabulary_size - 1})",
            "Encode the text with this model's tokenizer",
        )


def contexts_of(frozen: FrozenModel, sequences: Sequence[Ints]) -> Contexts:
    """The context that each token of each sequence ends, all in order; nothing scripted."""
    space = frozen.space
    lengths = np.array([s.size for s in sequences], dtype=np.int64)
    tokens = np.concatenate(sequences) if sequences else np.zeros(0, dtype=np.int64)
    last = np.where(tokens < 0, space.placeholder, tokens)
    begins = np.cumsum(lengths) - lengths
    first = np.repeat(begins, lengths)
    before = np.empty_like(last)
    before[1:] = last[:-1]
    before[begins[lengths > 0]] = space.start
    kind, distance = frozen.grammar.states(last, first, frozen.mark_table)
    return Contexts(
        last=last,
        before=before,
        state=state_of(kind, distance),
        scripted=np.full(last.size, -1, dtype=np.int64),
        log_lift=np.zeros(last.size),
    )
