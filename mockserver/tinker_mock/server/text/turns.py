"""One assistant turn, from its prompt to its events."""

import json
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass, field, replace

import numpy as np

from tinker_mock.server.engine import Sampler, SampleRequest
from tinker_mock.server.scripts.draw import Draw
from tinker_mock.server.service.backend import Backend
from tinker_mock.server.text.answer_schema import AnswerSchema
from tinker_mock.server.text.effort import DEFAULT_EFFORT, thoughts_for
from tinker_mock.server.text.events import CallArguments, CallBegun, Ended, Event, TextDelta
from tinker_mock.server.text.generation import Params, TextRun, Token
from tinker_mock.server.text.schema_values import value_for
from tinker_mock.server.text.scripted_draw import ScriptedDraw
from tinker_mock.server.text.text_model import TextModel
from tinker_mock.server.text.thoughts import Thoughts, learnt_to_answer
from tinker_mock.server.text.told_answer import ToldAnswer
from tinker_mock.server.text.tool_choice import ToolUse
from tinker_mock.server.tokenizers import stop_decoder


@dataclass
class Turn:
    """What one choice will be. `schema`: the answer is a JSON text of it.

    `effort` is how much to reason, for models that take it; `said` is what then stands between
    prompt and answer.
    """

    backend: Backend
    model: TextModel
    prompt: list[int]
    params: Params
    scripted: ScriptedDraw
    uses: list[ToolUse] = field(default_factory=list)
    schema: AnswerSchema | None = None
    effort: float = DEFAULT_EFFORT
    said: list[int] = field(default_factory=list)
    told: bool = False
    tokens: int = 0
    thoughts: int = 0

    async def events(self) -> AsyncGenerator[Event, None]:
        """The turn, as it comes into being."""
        draw = await self.scripted.drawn()
        if draw.due:
            async with aclosing(self._told(draw)) as told:
                async for event in told:
                    yield event
            if self.told:
                return
        drawn = bool(self.uses) or self.schema is not None
        apart = self.model.reasons_apart and not await self._learnt_to_answer()
        if drawn or apart:
            async with aclosing(self._thoughts()) as thoughts:
                async for said in thoughts:
                    yield said
        if apart and self.tokens >= self.params.max_tokens:
            yield self._ended("length")
            return
        source = self._calls() if self.uses else self._json() if drawn else self._words()
        async with aclosing(source) as events:
            async for event in events:
                yield event

    async def _learnt_to_answer(self) -> bool:
        model, prompt = self.model, self.prompt
        return await self.backend.compute(learnt_to_answer, model, prompt)

    async def _thoughts(self) -> AsyncGenerator[Event, None]:
        """What the model says to itself first."""
        most = self.params.max_tokens
        if self.model.reasons_apart:
            most = min(most, thoughts_for(self.effort))
        thoughts = Thoughts(self.backend, self.model, self.prompt, self.params, most)
        async with aclosing(thoughts.events()) as deltas:
            async for delta in deltas:
                yield delta
        self.tokens = self.thoughts = thoughts.tokens
        self.said = thoughts.ids

    async def _words(self) -> AsyncGenerator[Event, None]:
        prompt = [*self.prompt, *self.said]
        room = self.model.catalog.context_length - len(prompt)
        params = replace(
            self.params, max_tokens=max(1, min(self.params.max_tokens - self.tokens, room))
        )
        scripted = None if self.said else self.scripted
        run = TextRun(self.backend, self.model, prompt, params, scripted)
        async with aclosing(run.pieces()) as pieces:
            async for piece in pieces:
                self.thoughts += len(piece.tokens) if piece.thinking else 0
                yield TextDelta(piece.text, piece.tokens, piece.thinking)
        self.tokens += run.count
        assert run.finish is not None
        yield self._ended(run.finish.reason, run.finish.stop)

    async def _calls(self) -> AsyncGenerator[Event, None]:
        for number, use in enumerate(self.uses):
            yield CallBegun(number, use.id, use.name)
            for text in self._counted(use.arguments):
                yield CallArguments(number, text)
            if self.tokens >= self.params.max_tokens:
                yield self._ended("length")
                return
        yield self._ended("tool_calls")

    async def _told(self, draw: Draw) -> AsyncGenerator[Event, None]:
        """A script's answer; nothing, if the model has learned to say something else."""
        params = replace(self.params, stop=())
        run = TextRun(self.backend, self.model, self.prompt, params, self.scripted)
        async with aclosing(run.pieces()) as pieces:
            async for _ in pieces:
                pass
        draw.count(run.answer_ids)
        answer = draw.given(run.answer_ids)
        if answer is None:
            return
        self.told = True
        for event in ToldAnswer(run, answer, self.params.stop, self.params.entropy).events():
            if isinstance(event, Ended):
                self.tokens, self.thoughts = event.tokens, event.thoughts
            yield event

    async def _json(self) -> AsyncGenerator[Event, None]:
        seed = self.backend.ids.number("json-answer", self.params.entropy)
        assert self.schema is not None
        value = await self.backend.compute(value_for, self.schema.schema, seed, self.schema.pointer)
        room = self.params.max_tokens - self.tokens
        ids = self.model.tokenizer.encode(json.dumps(value, ensure_ascii=False))
        decoder, pending = stop_decoder(self.model.tokenizer), []
        for token in await self._scored(ids[:room]):
            self.tokens += 1
            pending.append(token)
            if text := decoder.process(token.id).text:
                yield TextDelta(text, tuple(pending))
                pending = []
        if text := decoder.flush().text:
            yield TextDelta(text, tuple(pending))
        yield self._ended("length" if len(ids) > room else "stop")

    async def _scored(self, ids: list[int]) -> list[Token]:
        """Given tokens with the model's own log-probabilities."""
        k = self.params.logprobs
        if k is None or not ids:
            return [Token(id) for id in ids]
        whole = np.asarray([*self.prompt, *self.said, *ids], dtype=np.int64)
        request = SampleRequest(
            prompt=whole, max_tokens=0, prompt_logprobs=True, topk_prompt_logprobs=k
        )
        sampler = Sampler(self.model.base, self.model.weights)
        result = await self.backend.compute(sampler.sample, request)
        assert result.prompt_logprobs is not None
        logprobs = result.prompt_logprobs[-len(ids) :].tolist()
        tops: list[tuple[tuple[int, float], ...]] = [()] * len(ids)
        if k and result.topk_prompt_logprobs is not None:
            rows = result.topk_prompt_logprobs
            pairs = zip(rows.token_ids.tolist(), rows.logprobs.tolist(), strict=True)
            tops = [tuple(zip(*row, strict=True)) for row in pairs][-len(ids) :]
        return [Token(*row) for row in zip(ids, logprobs, tops, strict=True)]

    def _counted(self, text: str) -> list[str]:
        """A text as the pieces its tokens make, as many as the limit allows."""
        decoder = stop_decoder(self.model.tokenizer)
        pieces: list[str] = []
        for token in self.model.tokenizer.encode(text):
            if self.tokens >= self.params.max_tokens:
                return pieces
            self.tokens += 1
            if piece := decoder.process(token).text:
                pieces.append(piece)
        rest = decoder.flush().text
        return [*pieces, rest] if rest else pieces

    def _ended(self, reason: str, stop: str | None = None) -> Ended:
        return Ended(reason, stop, self.tokens, self.thoughts)
