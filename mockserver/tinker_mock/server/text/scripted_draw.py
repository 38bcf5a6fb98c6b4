"""What all choices of one text request draw from scripts."""

from __future__ import annotations

from tinker_mock.server.engine import EngineError
from tinker_mock.server.errors import BadRequest
from tinker_mock.server.scripts.draw import Draw
from tinker_mock.server.service.backend import Backend
from tinker_mock.server.service.bases import give_text
from tinker_mock.server.text.text_model import TextModel


class ScriptedDraw:
    """Made when the first choice asks, in a worker thread: a script may be a user's function."""

    def __init__(self, backend: Backend, model: TextModel, prompt: list[int]) -> None:
        self.backend = backend
        self.model = model
        self.prompt = prompt
        self._draw: Draw | None = None

    async def drawn(self) -> Draw:
        """The request's draw, the same for all its choices; raises BadRequest."""
        if self._draw is None:
            try:
                self._draw = await self.backend.compute(self._make)
            except EngineError as error:
                raise BadRequest(str(error), rule=error.rule, fix=error.fix) from error
        return self._draw

    def _make(self) -> Draw:
        if self.model.base.scripted_answers:
            give_text(self.model.base, self.model.catalog)
        return Draw(self.model.base, self.prompt)
