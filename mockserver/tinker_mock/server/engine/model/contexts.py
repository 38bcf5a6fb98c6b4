"""Where each prediction is made: the tokens just before it and the grammar's state."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinker_mock.server.engine.errors import EngineError
from tinker_mock.server.engine.model.frozen_model import FrozenModel
from tinker_mock.server.engine.model.grammar import state_of
from tinker_mock.server.engine.model.keys import Floats, Ints


@dataclass(frozen=True)
class Contexts:
    """Parallel arrays [N].

    `scripted` [K, N] are the tokens that scripted answers favour (-1 for none), `log_lift` [K, N]
    the logarithms of the factors on their weights.
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
    def identity(self) -> tuple[float, ...]:
        """What the first context's distribution depends on; a key to keep things by."""
        return (
            int(self.last[0]),
            int(self.before[0]),
            int(self.state[0]),
            *self.scripted[:, 0].tolist(),
            *self.log_lift[:, 0].tolist(),
        )

    def take(self, index: Ints | slice) -> Contexts:
        return Contexts(
            self.last[index],
            self.before[index],
            self.state[index],
            self.scripted[:, index],
            self.log_lift[:, index],
        )

    def lifts(self) -> Iterator[tuple[Ints, Floats]]:
        """(token, log of its factor), [N] each, of one scripted alternative after the other."""
        return zip(self.scripted, self.log_lift, strict=True)

    def with_lifts(self, scripted: Ints, log_lift: Floats) -> Contexts:
        """The same places with these alternatives."""
        return replace(self, scripted=scripted, log_lift=log_lift)

    @classmethod
    def joined(cls, parts: Sequence[Contexts]) -> Contexts:
        """All places of the parts, in order."""
        most = max(part.scripted.shape[0] for part in parts)

        def padded(array: NDArray[Any], filler: float) -> NDArray[Any]:
            missing = most - array.shape[0]
            return np.pad(array, ((0, missing), (0, 0)), constant_values=filler)

        return cls(
            np.concatenate([part.last for part in parts]),
            np.concatenate([part.before for part in parts]),
            np.concatenate([part.state for part in parts]),
            np.concatenate([padded(part.scripted, -1) for part in parts], axis=1),
            np.concatenate([padded(part.log_lift, 0.0) for part in parts], axis=1),
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
        scripted=np.zeros((0, last.size), dtype=np.int64),
        log_lift=np.zeros((0, last.size)),
    )
