"""Plain completions: prompts continued, in OpenAI's older shape."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from tinker_mock.server.engine import Sampler, SampleRequest
from tinker_mock.server.errors import BadRequest, Unprocessable
from tinker_mock.server.service.backend import Backend
from tinker_mock.server.service.sampling import MAX_SAMPLES
from tinker_mock.server.text.generation import Finish, Params, Piece, TextRun, Token
from tinker_mock.server.text.scripted_draw import ScriptedDraw
from tinker_mock.server.text.text_model import TextModel
from tinker_mock.server.wire import sse

Json = dict[str, Any]


def prompts_of(model: TextModel, given: Any) -> list[list[int]]:
    """Every form of `prompt` as lists of ids; raises BadRequest for ids the model has not."""
    if isinstance(given, str):
        return [model.prompt(given)]
    if given and isinstance(given[0], str):
        return [model.prompt(text) for text in given]
    if given and isinstance(given[0], list):
        return [_known(model, ids, f"/prompt/{place}") for place, ids in enumerate(given)]
    return [_known(model, given, "/prompt")]


def _known(model: TextModel, ids: list[Any], pointer: str) -> list[int]:
    size = model.catalog.vocabulary_size
    for place, token in enumerate(ids):
        if not 0 <= token < size:
            raise BadRequest(
                f"{pointer.strip('/').replace('/', '.')}[{place}]: {token} is no id of this model",
                pointer=f"{pointer}/{place}",
                rule=f"ids from 0 to {size - 1}",
                fix="tokenize with the tokenizer of this model",
            )
    return [int(token) for token in ids] or model.prompt("")


@dataclass
class CompletionChoice:
    """One continuation of one prompt. `echo` puts the prompt, scored, before it."""

    index: int
    model: TextModel
    run: TextRun
    prompt: list[int]
    logprobs: int | None = None
    echo: bool = False
    text: list[str] = field(default_factory=list)
    offset: int = 0

    async def parts(self, backend: Backend) -> AsyncIterator[Json]:
        """The choice in pieces; the last one carries the finish_reason."""
        if self.echo:
            tokens = await self._scored_prompt(backend)
            yield self._part(Piece(self.model.tokenizer.decode(self.prompt), tokens), None)
        async for piece in self.run.pieces():
            yield self._part(piece, None)
        (await self.run.scripted.drawn()).count(self.run.answer_ids)
        yield self._part(Piece("", ()), self.run.finish)

    def _part(self, piece: Piece, finish: Finish | None) -> Json:
        part = {
            "index": self.index,
            "text": piece.text,
            "logprobs": self._logprobs(piece.tokens),
            "finish_reason": finish.reason if finish else None,
        }
        self.text.append(piece.text)
        return part

    def _logprobs(self, tokens: tuple[Token, ...]) -> Json | None:
        if self.logprobs is None:
            return None
        decode = self.model.tokenizer.decode
        texts = [decode([token.id]) for token in tokens]
        offsets = []
        for text in texts:
            offsets.append(self.offset)
            self.offset += len(text)
        return {
            "tokens": texts,
            "token_logprobs": [None if t.logprob != t.logprob else t.logprob for t in tokens],
            "top_logprobs": [{decode([id]): p for id, p in t.top} for t in tokens],
            "text_offset": offsets,
        }

    async def _scored_prompt(self, backend: Backend) -> tuple[Token, ...]:
        if self.logprobs is None:
            return tuple(Token(id) for id in self.prompt)
        request = SampleRequest(
            prompt=np.asarray(self.prompt, dtype=np.int64), max_tokens=0, prompt_logprobs=True
        )
        sampler = Sampler(self.model.base, self.model.weights)
        result = await backend.compute(sampler.sample, request)
        assert result.prompt_logprobs is not None
        pairs = zip(self.prompt, result.prompt_logprobs.tolist(), strict=True)
        return tuple(Token(id, logprob) for id, logprob in pairs)


@dataclass
class Completions:
    """Everything one request asks for."""

    backend: Backend
    model: TextModel
    head: Json
    choices: list[CompletionChoice]

    def usage(self) -> Json:
        """Tokens, each prompt counted once."""
        prompts = {id(choice.prompt): len(choice.prompt) for choice in self.choices}
        prompt, spent = sum(prompts.values()), sum(choice.run.count for choice in self.choices)
        return {
            "prompt_tokens": prompt,
            "completion_tokens": spent,
            "total_tokens": prompt + spent,
        }

    async def whole(self) -> Json:
        """The text_completion."""
        choices = []
        for choice in self.choices:
            parts = [part async for part in choice.parts(self.backend)]
            choices.append({**parts[-1], "text": "".join(choice.text), "logprobs": _joined(parts)})
        return {**self.head, "choices": choices, "usage": self.usage()}

    async def events(self, include_usage: bool) -> AsyncIterator[bytes]:
        """The same as server-sent events."""
        for choice in self.choices:
            async for part in choice.parts(self.backend):
                yield sse.event({**self.head, "choices": [part]})
        if include_usage:
            yield sse.event({**self.head, "choices": [], "usage": self.usage()})
        yield sse.DONE


def _joined(parts: list[Json]) -> Json | None:
    if parts[0]["logprobs"] is None:
        return None
    keys = parts[0]["logprobs"].keys()
    return {key: [one for part in parts for one in part["logprobs"][key]] for key in keys}


def _check_count(body: Json) -> None:
    """Raises Unprocessable for more samples than one request gets."""
    given = body["prompt"]
    several = isinstance(given, list) and given and isinstance(given[0], str | list)
    count = (len(given) if several else 1) * (body.get("n") or 1)
    if count > MAX_SAMPLES:
        raise Unprocessable(
            f"prompt: {count} completions are more than {MAX_SAMPLES}",
            pointer="/prompt",
            rule=f"prompts times n is at most {MAX_SAMPLES}",
            fix="split the request",
        )


def choices_for(
    backend: Backend, model: TextModel, body: Json, params: Params
) -> list[CompletionChoice]:
    """`n` choices for each prompt, numbered over all of them."""
    choices: list[CompletionChoice] = []
    _check_count(body)
    for prompt in prompts_of(model, body["prompt"]):
        most = model.check_length(len(prompt), params.max_tokens, "/max_tokens")
        scripted = ScriptedDraw(backend, model, prompt)
        for _ in range(body.get("n") or 1):
            index = len(choices)
            own = replace(params, max_tokens=most, entropy=f"{params.entropy}:{index}")
            run = TextRun(backend, model, prompt, own, scripted)
            choices.append(
                CompletionChoice(
                    index, model, run, prompt, body.get("logprobs"), bool(body.get("echo"))
                )
            )
    return choices
