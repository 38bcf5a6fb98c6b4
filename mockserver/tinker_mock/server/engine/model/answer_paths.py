"""Answers as a distribution: how likely each token is after every beginning of an answer."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Answer:
    """Tokens, and how likely the untrained model gives them, all of them.

    `source` is whatever its script knows it by.
    """

    tokens: tuple[int, ...]
    probability: float
    source: Any = field(default=None, compare=False)


@dataclass(frozen=True)
class AnswerPaths:
    """The answers to one prompt; together they are less than certain. `script` is whose they are.

    With T the sum of the probabilities p_i, an answer of L_i tokens has p_i/T · T^(d/L_i) left
    after d of them: the answers' shares at the beginning, their own probabilities at the end. What
    is lost on the way is the rest of the model.
    """

    answers: tuple[Answer, ...]
    script: Any = None

    @property
    def log_total(self) -> float:
        """log T."""
        return math.log(math.fsum(answer.probability for answer in self.answers))

    def start(self) -> Path:
        """Before the first token."""
        return Path(self, 0, tuple(range(len(self.answers))))


@dataclass(frozen=True)
class Path:
    """`depth` tokens into the answers numbered `alive`."""

    paths: AnswerPaths
    depth: int
    alive: tuple[int, ...]

    def following(self) -> list[tuple[int, float]]:
        """(token, log of its odds against all tokens that no answer has here)."""
        log_total, answers = self.paths.log_total, self.paths.answers
        masses: dict[int, float] = {}
        lost: list[float] = []
        for number in self.alive:
            answer = answers[number]
            size = len(answer.tokens)
            left = answer.probability * math.exp(log_total * (self.depth / size - 1.0))
            if self.depth == size:
                lost.append(left)
                continue
            token = answer.tokens[self.depth]
            kept = left * math.exp(log_total / size)
            masses[token] = masses.get(token, 0.0) + kept
            lost.append(-left * math.expm1(log_total / size))
        rest = math.log(math.fsum(lost))
        return [(token, math.log(mass) - rest) for token, mass in masses.items()]

    def step(self, token: int) -> Path | None:
        """After one more token; None where no answer goes on like that."""
        answers = self.paths.answers
        alive = tuple(
            n for n in self.alive if answers[n].tokens[self.depth : self.depth + 1] == (token,)
        )
        return Path(self.paths, self.depth + 1, alive) if alive else None

    def only(self, number: int | None) -> Path | None:
        """The part of one answer; all for None."""
        if number is None:
            return self
        return Path(self.paths, self.depth, (number,)) if number in self.alive else None

    def followed(self, tokens: Sequence[int]) -> tuple[int, ...]:
        """The answers that these tokens are, go on from, or begin."""
        found = []
        for number in self.alive:
            wanted = self.paths.answers[number].tokens[self.depth :]
            size = min(len(wanted), len(tokens))
            if size and tuple(tokens[:size]) == wanted[:size]:
                found.append(number)
        return tuple(found)
