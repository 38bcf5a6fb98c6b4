"""Scripted answers: prompts whose next tokens are set beforehand.

A scripted answer lifts the weight of its next token so that the untrained model gives it exactly
the answer's probability. It is part of the distribution: scoring and sampling agree on it, and
training can unlearn it.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from tinker_mock.server.engine.errors import EngineError
from tinker_mock.server.engine.model.keys import Ints

Decode = Callable[[Sequence[int]], str]


@dataclass(frozen=True)
class ScriptedAnswer:
    """`pattern` is a regular expression over the prompt's text, or its last tokens.

    A text pattern is looked for when an assistant turn opens; a token pattern also where a plain
    prompt ends with it. `completion` is the answer's tokens, the end token included if wanted.
    """

    pattern: str | tuple[int, ...]
    completion: tuple[int, ...]
    probability: float = 0.999

    def __post_init__(self) -> None:
        if not 0.0 < self.probability < 1.0:
            raise EngineError(
                "probability", f"must lie between 0 and 1, got {self.probability}", "Use 0.999"
            )
        if not self.completion:
            raise EngineError("completion", "must have at least one token", "Add tokens")
        if not self.pattern:
            raise EngineError("pattern", "must not be empty", "Give text or tokens to look for")


class ScriptedAnswers:
    """The scripted answers of one base model, newest first."""

    def __init__(self) -> None:
        self._answers: tuple[ScriptedAnswer, ...] = ()

    def __bool__(self) -> bool:
        return bool(self._answers)

    @property
    def entries(self) -> tuple[ScriptedAnswer, ...]:
        """The answers in force, newest first."""
        return self._answers

    def add(self, answer: ScriptedAnswer) -> None:
        if isinstance(answer.pattern, str):
            try:
                re.compile(answer.pattern)
            except re.error as problem:
                raise EngineError(
                    "pattern", f"is not a regular expression ({problem})", "Escape special signs"
                ) from None
        self._answers = (answer, *self._answers)

    def clear(self) -> None:
        self._answers = ()

    def due(
        self, tokens: Ints, header: Sequence[int], decode: Decode | None
    ) -> list[tuple[int, int, float]]:
        """(position, next token, probability) for every position whose successor is scripted."""
        if not self._answers:
            return []
        listed = tokens.tolist()
        openings = _ends(listed, header) if header else []
        found: dict[int, tuple[int, float]] = {}
        for answer in reversed(self._answers):
            for opening in self._starts(answer, listed, openings, decode):
                for place, token in enumerate(answer.completion):
                    found[opening + place] = (token, answer.probability)
                    after = opening + place + 1
                    if after >= len(listed) or listed[after] != token:
                        break
        return [(at, *found[at]) for at in sorted(found)]

    def _starts(
        self, answer: ScriptedAnswer, tokens: list[int], openings: list[int], decode: Decode | None
    ) -> list[int]:
        if isinstance(answer.pattern, tuple):
            ends = _ends(tokens, answer.pattern)
            return ends + [o for o in openings if any(e < o for e in ends)]
        if decode is None:
            return []
        pattern = re.compile(answer.pattern)
        return [o for o in openings if pattern.search(decode(tokens[: o + 1]))]


def _ends(tokens: list[int], wanted: Sequence[int]) -> list[int]:
    size = len(wanted)
    row = np.asarray(tokens)
    ends = np.flatnonzero(row == wanted[-1])
    return [int(e) for e in ends if e + 1 >= size and tokens[e + 1 - size : e + 1] == [*wanted]]
