"""When a sequence is finished."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from tinker_mock.server.engine.errors import EngineError
from tinker_mock.server.engine.model.base_model import BaseModel
from tinker_mock.server.engine.model.keys import Bools, Ints
from tinker_mock.server.engine.model.scripted_answers import Decode

Stop = str | Sequence[str] | Sequence[int] | None
SLACK = 8
"""Tokens decoded besides those a stop string can span, for characters split between tokens."""


@dataclass(frozen=True)
class Stops:
    """Stop tokens and stop strings. A string may end inside a token: the whole token stays."""

    tokens: Ints
    strings: tuple[str, ...]
    decode: Decode | None

    @classmethod
    def of(cls, base: BaseModel, stop: Stop) -> Stops:
        """None: the model's end tokens. An empty list: nothing. Else: those given, and the end."""
        ends = list(base.end_tokens)
        if stop is None:
            return cls(np.array(ends, dtype=np.int64), (), None)
        listed = [stop] if isinstance(stop, str) else list(stop)
        if not listed:
            return cls(np.zeros(0, dtype=np.int64), (), None)
        strings = tuple(s for s in listed if isinstance(s, str))
        numbers = [s for s in listed if not isinstance(s, str)]
        if strings and base.decode is None:
            raise EngineError(
                "sampling_params.stop",
                f"stop strings need the tokenizer of {base.name}, which is not at hand",
                "Give stop tokens as ids, or make the tokenizer available to the server",
            )
        return cls(np.array(ends + numbers, dtype=np.int64), strings, base.decode)

    def reached(self, last: Ints, written: Callable[[int], Ints]) -> Bools:
        """[sequences] whether the last token of each ends it. `written` gives the last few tokens
        of each, [sequences, as many]."""
        ended: Bools = (last[:, None] == self.tokens).any(axis=1)
        if self.strings and self.decode is not None:
            span = SLACK + max(len(s.encode()) for s in self.strings)
            for i, row in enumerate(written(span).tolist()):
                text = self.decode(row)
                ended[i] |= any(s in text for s in self.strings)
        return ended
