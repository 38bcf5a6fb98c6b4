"""Where each prediction is made: the names of what stands before it, and the grammar's state."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinker_mock.server.budget import checkpoint
from tinker_mock.server.engine.errors import EngineError
from tinker_mock.server.engine.model.frozen_model import FrozenModel
from tinker_mock.server.engine.model.grammar import state_of
from tinker_mock.server.engine.model.hashing import (
    START,
    Hashes,
    features,
    joined,
    placed,
    scrambled,
)
from tinker_mock.server.engine.model.keys import Floats, Ints


@dataclass(frozen=True)
class Contexts:
    """N places at which a token is predicted.

    `keys` [orders - 1, N] name the context of each order from 1 on, `state` [N] is the grammar's.
    `scripted` [K, N] are the tokens that scripted answers favour (-1 for none), `log_lift` [K, N]
    the logarithms of the factors on their weights.
    """

    keys: Hashes
    state: Ints
    scripted: Ints
    log_lift: Floats

    @property
    def size(self) -> int:
        return self.state.size

    def take(self, index: Ints | slice) -> Contexts:
        return Contexts(
            self.keys[:, index],
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
            if not missing:
                return array
            return np.pad(array, ((0, missing), (0, 0)), constant_values=filler)

        return cls(
            np.concatenate([part.keys for part in parts], axis=1),
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
    lengths = np.array([s.size for s in sequences], dtype=np.int64)
    tokens = np.concatenate(sequences) if sequences else np.zeros(0, dtype=np.int64)
    first = np.repeat(np.cumsum(lengths) - lengths, lengths)
    place = np.arange(tokens.size) - first
    keys = np.empty((frozen.orders - 1, tokens.size), dtype=np.uint64)
    for order, grams in enumerate(_grams(frozen, tokens, place)):
        checkpoint()
        keys[order] = grams
    if frozen.whole_prefix:
        keys[-1] = _prefixes(tokens, place, first)
    checkpoint()
    text = np.where(tokens < 0, frozen.space.placeholder, tokens)
    kind, distance = frozen.grammar.states(text, first, frozen.mark_table)
    return Contexts(
        keys=keys,
        state=state_of(kind, distance),
        scripted=np.zeros((0, tokens.size), dtype=np.int64),
        log_lift=np.zeros((0, tokens.size)),
    )


def _grams(frozen: FrozenModel, tokens: Ints, place: Ints) -> list[Hashes]:
    """The hash of the last n tokens at each place, per n of the model's windows.

    A window of 2n is two of n. Windows that begin before the sequence are filled with START.
    """
    found, grams, before, size = [], features(tokens), features(START), 1
    while True:
        if size in frozen.windows:
            found.append(grams)
        if size >= frozen.windows[-1]:
            return found
        far = np.empty_like(grams)
        far[size:] = grams[:-size]
        far[place < size] = before
        grams, before, size = joined(grams, far), joined(before, before), 2 * size


def _prefixes(tokens: Ints, place: Ints, first: Ints) -> Hashes:
    """The hash of everything up to each place of its sequence."""
    sums = np.zeros(tokens.size + 1, dtype=np.uint64)
    np.cumsum(placed(tokens, place), out=sums[1:])
    return scrambled(sums[1:] - sums[first])


class Trail:
    """What the context names of growing sequences are computed from: one column per sequence.

    `keys` [orders - 1, sequences] name the contexts at their ends; they are new at every step.
    Sequence i continues `prompts[rows[i]]`.
    """

    def __init__(self, frozen: FrozenModel, prompts: Sequence[Ints], rows: Ints) -> None:
        self.frozen = frozen
        self._length = 0
        lengths = np.array([prompt.size for prompt in prompts], dtype=np.int64)
        history, keys = _ends(frozen, prompts)
        begins = np.cumsum(lengths) - lengths
        place = np.arange(int(lengths.sum())) - np.repeat(begins, lengths)
        sums = np.add.reduceat(placed(np.concatenate(prompts), place), begins)
        if frozen.whole_prefix:
            keys.append(scrambled(sums.copy()))
        self._place, self._sum = lengths[rows], sums[rows]
        self._history = [np.ascontiguousarray(level[rows].T) for level in history]
        self.keys = np.stack(keys)[:, rows]

    def advance(self, tokens: Ints) -> None:
        """Append a token to each sequence."""
        windows, order, size = self.frozen.windows, 0, 1
        keys, grams = np.empty_like(self.keys), features(tokens)
        for level in range(len(self._history) + 1):
            if size in windows:
                keys[order] = grams
                order += 1
            if level < len(self._history):
                latest = self._history[level][self._length % size]
                far = latest.copy()
                latest[:] = grams
                grams, size = joined(grams, far), 2 * size
        if self.frozen.whole_prefix:
            self._sum += placed(tokens, self._place)
            keys[-1] = scrambled(self._sum.copy())
        self.keys = keys
        self._place += 1
        self._length += 1

    def keep(self, index: Ints) -> None:
        """Go on with these sequences alone."""
        self._place, self._sum = self._place[index], self._sum[index]
        self._history = [level[:, index] for level in self._history]
        self.keys = self.keys[:, index]


def _ends(frozen: FrozenModel, prompts: Sequence[Ints]) -> tuple[list[Hashes], list[Hashes]]:
    """Of each window size the last as many hashes of every prompt, and their windows' names."""
    longest = frozen.windows[-1]
    tails = np.full((len(prompts), 2 * longest), START[0])
    for tail, prompt in zip(tails, prompts, strict=True):
        kept = prompt[-2 * longest :]
        tail[tail.size - kept.size :] = kept
    history: list[Hashes] = []
    keys: list[Hashes] = []
    grams, size = features(tails.ravel()).reshape(tails.shape), 1
    while True:
        if size in frozen.windows:
            keys.append(grams[:, -1])
        if size >= longest:
            return history, keys
        history.append(grams[:, -size:])
        grams, size = joined(grams[:, size:], grams[:, :-size]), 2 * size
