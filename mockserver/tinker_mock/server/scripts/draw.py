"""What one request draws from scripts, and what came of it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tinker_mock.server.engine import BaseModel
from tinker_mock.server.engine.model.answer_paths import Path
from tinker_mock.server.engine.model.keys import Ints
from tinker_mock.server.engine.sampling.scripted_run import Begin
from tinker_mock.server.scripts.model_script import ModelScript
from tinker_mock.server.scripts.rendering import RenderedAnswer


class Draw:
    """Made once a request, before it is sampled: a sequence moves on by one answer."""

    def __init__(self, base: BaseModel, prompt: Ints | Sequence[int]) -> None:
        tokens = np.asarray(prompt, dtype=np.int64)
        base.scripted_answers.use_text(base.decode)
        self.path: Path | None = base.scripted_answers.begin(tokens)
        self.answer: int | None = None
        script = self._script
        if script is not None and self.path is not None and self.path.depth == 0:
            answers = self.path.paths.answers
            if answers[0].source.in_turn:
                self.answer = script.script.next_answer(hash(tokens.tobytes()), len(answers))

    @property
    def due(self) -> bool:
        """Whether a script answers this prompt."""
        return self.path is not None

    @property
    def _script(self) -> ModelScript | None:
        found = self.path.paths.script if self.path is not None else None
        return found if isinstance(found, ModelScript) else None

    def begin(self, answered: int = 0) -> Begin:
        """For the engine's request, after so many of the sample's own tokens."""
        return Begin(answered, self.answer)

    def given(self, tokens: Sequence[int]) -> RenderedAnswer | None:
        """The answer that these tokens are, go on from, or begin."""
        number = self._number(tokens)
        if number is None or self.path is None or self.path.depth > 0:
            return None
        source: RenderedAnswer = self.path.paths.answers[number].source
        return source

    def over(self, tokens: Sequence[int]) -> bool:
        """Whether these tokens end a turn, be it not by an end token of the model."""
        given = self.given(tokens)
        return given is not None and given.spoken.end_turn and len(tokens) >= len(given.tokens)

    def count(self, tokens: Sequence[int]) -> None:
        """One sample was drawn."""
        if self._script is not None:
            self._script.script.count(self._number(tokens))

    def _number(self, tokens: Sequence[int]) -> int | None:
        found = self.path.followed(tokens) if self.path is not None else ()
        if self.answer in found:
            return self.answer
        return found[0] if found else None
