"""A script at work for one model: whom it fits, and what it makes the engine say."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from tinker_mock.server.catalog import CatalogModel
from tinker_mock.server.engine.errors import EngineError
from tinker_mock.server.engine.model.answer_paths import Answer
from tinker_mock.server.engine.model.scripted_answers import Prompt, ends_of
from tinker_mock.server.engine.model.search import found as found_in
from tinker_mock.server.scripts.rendering import RenderedAnswer, rendered
from tinker_mock.server.scripts.script import Script, ScriptFault, Spoken, script_of
from tinker_mock.server.stand_in import StandInTokenizer
from tinker_mock.server.tokenizers import tokenizer_for

KIMI_CALL = re.compile(r"functions\.[^:\s]+:(\d+)")


class PromptText(str):
    """A prompt's text, as answering functions see it. `tokens`: its ids; `model`: whose it is."""

    tokens: tuple[int, ...]
    model: str

    @classmethod
    def of(cls, prompt: Prompt, model: str) -> PromptText:
        """The text of a prompt of the engine."""
        found = cls(prompt.text or "")
        found.tokens, found.model = prompt.tokens, model
        return found


class ModelScript:
    """What the engine asks for answers."""

    def __init__(self, script: Script, model: CatalogModel) -> None:
        self.script = script
        self.model = model

    def answers(self, prompt: Prompt) -> Sequence[Answer]:
        """The answers to a prompt that it fits, each with its rendering as `source`."""
        found = self._found(prompt)
        if not found:
            if self._reads and self._cannot_read(prompt):
                self.script.count_unread()
            return []
        first, in_turn = _next_call(prompt), found.order == "sequence"
        answers = []
        for spoken, share in zip(found.answers, found.shares(), strict=True):
            told = self.render(spoken, prompt.prefill, first)
            if told.tokens:
                answers.append(Answer(told.tokens, share, replace(told, in_turn=in_turn)))
        return answers

    @property
    def _reads(self) -> bool:
        return self.script.pattern is not None or self.script.function is not None

    def _cannot_read(self, prompt: Prompt) -> bool:
        tokenizer = tokenizer_for(self.model)
        return isinstance(tokenizer, StandInTokenizer) and not tokenizer.may_have_written(
            prompt.tokens
        )

    def _found(self, prompt: Prompt) -> Script | None:
        script = self.script
        if script.tokens is not None and not ends_of(list(prompt.tokens), script.tokens):
            return None
        if script.pattern and not found_in(script.pattern, prompt.text or ""):
            return None
        if script.function is None:
            return script
        return self._asked(script.function(PromptText.of(prompt, self.model.name)))

    def _asked(self, told: Any) -> Script | None:
        if told is None:
            return None
        if isinstance(told, str):
            told = {"completion": told}
        elif isinstance(told, list | tuple):
            told = {"answers": list(told)}
        try:
            return script_of({"pattern": "its own", **told})
        except (ScriptFault, TypeError) as fault:
            rule = f"the answering function's answer cannot be used: {fault}"
            raise EngineError(
                "prompt", rule, "Let it return text, or an answer as in YAML"
            ) from None

    def ends(self, tokens: list[int]) -> list[int]:
        """A plain prompt may end with the tokens it looks for."""
        return ends_of(tokens, self.script.tokens) if self.script.tokens else []

    def render(self, spoken: Spoken, prefill: str = "", first_call: int = 0) -> RenderedAnswer:
        """An answer's ids. Raises ScriptFault for text of a model that has too few ids for it."""
        tokenizer = tokenizer_for(self.model)
        if tokenizer is None and spoken.tokens is None:
            fix = "Give completion_tokens"
            raise ScriptFault("completion", f"{self.model.name} has no tokenizer", fix)
        encode = tokenizer.encode if tokenizer else None
        return rendered(spoken, self.model, encode, prefill, first_call)


def _next_call(prompt: Prompt) -> int:
    """Kimi counts the calls of a whole conversation."""
    if prompt.text is None or "functions." not in prompt.text:
        return 0
    numbers = [int(number) for number in KIMI_CALL.findall(prompt.text)]
    return max(numbers, default=-1) + 1
