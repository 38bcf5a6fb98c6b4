"""Text out of the engine, slice by slice, so that a client that leaves stops it soon.

The slices of one answer do not depend on how it is delivered: streamed and whole answers of the
same request are the same text.
"""

from collections.abc import AsyncGenerator, Iterator
from dataclasses import dataclass, replace
from weakref import WeakKeyDictionary

import numpy as np

from tinker_mock.server.engine import (
    BaseModel,
    EngineError,
    LogitBias,
    SampledSequence,
    Sampler,
    SampleRequest,
    SampleResult,
    Weights,
    alike,
)
from tinker_mock.server.engine.model.scripted_answers import Script
from tinker_mock.server.engine.sampling.scripted_run import Begin
from tinker_mock.server.errors import BadRequest
from tinker_mock.server.lru import LruCache
from tinker_mock.server.scripts.draw import Draw
from tinker_mock.server.service.backend import Backend
from tinker_mock.server.service.sampling import FIRST_SLICE, SHORT, SLICE
from tinker_mock.server.text.scripted_draw import ScriptedDraw
from tinker_mock.server.text.text_model import TextModel
from tinker_mock.server.tokenizers import stop_decoder

SMALLEST_TOP_P = 1e-6
Where = tuple[tuple[int, ...], int, Begin]
Key = tuple[Weights | None, tuple[Script, ...], Where, "Params", int | None]


@dataclass(frozen=True)
class Params:
    """How to sample. `logprobs` is the number of alternatives wanted, None for no logprobs."""

    max_tokens: int
    temperature: float = 1.0
    top_p: float = 1.0
    top_k: int = -1
    stop: tuple[str, ...] = ()
    logprobs: int | None = None
    ignore_end: bool = False
    logit_bias: LogitBias | None = None
    entropy: str = ""


@dataclass(frozen=True)
class Token:
    """One generated token with the logprobs asked for."""

    id: int
    logprob: float = 0.0
    top: tuple[tuple[int, float], ...] = ()


@dataclass(frozen=True)
class Piece:
    """Text that became certain, and the tokens that made it. `thinking`: inside the reasoning."""

    text: str
    tokens: tuple[Token, ...]
    thinking: bool = False


@dataclass(frozen=True)
class Finish:
    """Why it ended: "stop" or "length"; `stop` is the stop string, if that was it."""

    reason: str
    stop: str | None = None


SEEDED: WeakKeyDictionary[BaseModel, LruCache[Key, SampledSequence]] = WeakKeyDictionary()
"""The slices of seeded requests used last: asking again costs no sampling."""

KEPT_SLICES = 1024


class TextRun:
    """One answer being generated. Iterate `pieces()`; `finish` is set at its end.

    `closing` is a token that ends it as an end token does.
    """

    def __init__(
        self,
        backend: Backend,
        model: TextModel,
        prompt: list[int],
        params: Params,
        scripted: ScriptedDraw | None = None,
        closing: int | None = None,
    ) -> None:
        self.backend = backend
        self.model = model
        self.params = params
        self.scripted = scripted or ScriptedDraw(backend, model, prompt)
        self.ids = list(prompt)
        self.taken: list[Token] = []
        self.closing = closing
        self.thinking = model.opens_thinking(prompt)
        self.reasoning = stop_decoder(model.tokenizer)
        self.content = stop_decoder(model.tokenizer, params.stop)
        self.pending: list[Token] = []
        self.begun: set[bool] = set()
        self.count = 0
        self.finish: Finish | None = None

    async def pieces(self) -> AsyncGenerator[Piece, None]:
        """Text as it comes. Ends at an end token, a stop string or the limit."""
        draw = await self.scripted.drawn()
        while self.finish is None:
            for piece in self._taken(await self._slice(draw)):
                yield piece
            scripted = draw.due and not self.params.ignore_end
            if self.finish is None and scripted and draw.over(self.answer_ids):
                self.finish = Finish("stop")
        if not self.content.stopped:
            for piece in self._rest():
                yield piece

    def _taken(self, sequence: SampledSequence) -> Iterator[Piece]:
        """The text of a slice, up to where the answer ends."""
        for token in tokens_of(sequence):
            piece = self._take(token)
            if piece is not None:
                yield piece
            if self.finish is not None:
                return
        if sequence.stop_reason == "stop":
            self.finish = Finish("stop")
        elif self.count >= self.params.max_tokens:
            self.finish = Finish("length")

    @property
    def answer_ids(self) -> list[int]:
        """The tokens taken so far."""
        return [token.id for token in self.taken]

    async def _slice(self, draw: Draw) -> SampledSequence:
        params = self.params
        size = FIRST_SLICE if self.count == 0 else SLICE
        request = SampleRequest(
            prompt=np.asarray(self.ids, dtype=np.int64),
            max_tokens=min(size, params.max_tokens - self.count),
            temperature=params.temperature,
            top_k=params.top_k,
            top_p=max(params.top_p, SMALLEST_TOP_P),
            entropy=f"{params.entropy}:{self.count}",
            topk_sample_logprobs=params.logprobs or 0,
            stop=[] if params.ignore_end else None,
            logit_bias=params.logit_bias and replace(params.logit_bias, generated=self.count),
            begin=draw.begin(self.count),
        )
        cache = SEEDED.setdefault(self.model.base, LruCache(KEPT_SLICES))
        key = self._key(request)
        sequence = cache.get(key) if key else None
        if sequence is None:
            sequence = await self._sampled(request)
            if key:
                cache.put(key, sequence)
        self.ids += sequence.tokens.tolist()
        return sequence

    def _key(self, request: SampleRequest) -> Key | None:
        """What a seeded slice is a function of; None where no seed was given."""
        if not request.entropy.startswith("seed:"):
            return None
        model, params = self.model, self.params
        scripted = model.base.scripted_answers.entries
        where = (tuple(self.ids), self.count, request.begin)
        return (model.weights, scripted, where, params, request.max_tokens)

    async def _sampled(self, request: SampleRequest) -> SampledSequence:
        model = self.model
        plain = not (request.topk_sample_logprobs or request.logit_bias)
        small = plain and len(request.prompt) <= SHORT
        try:
            sampled: SampleResult = await self.backend.batches.run(
                (small, model.base, model.weights, alike(request)),
                lambda: Sampler(model.base, model.weights).sample_together,
                request,
                small=small,
            )
            return sampled.sequences[0]
        except EngineError as error:
            name = error.field.removeprefix("sampling_params.")
            message = f"{name}: {error.rule}"
            raise BadRequest(message, pointer=f"/{name}", rule=error.rule, fix=error.fix) from error

    def _take(self, token: Token) -> Piece | None:
        self.count += 1
        self.taken.append(token)
        if token.id == self.closing:
            self.finish = Finish("stop")
        if token.id == self.closing or token.id in self.model.base.end_tokens or self._opens():
            return None
        marks = self.model.thinking_marks
        if token.id in marks:
            self.thinking = token.id == marks[0]
            return None
        decoder = self.reasoning if self.thinking else self.content
        output = decoder.process(token.id)
        self.pending.append(token)
        if decoder.stopped:
            self.finish = Finish("stop", str(decoder.matched_stop))
        text = self._opening(output.text) if output.text else ""
        return self._piece(text, self.thinking) if text else None

    def _opens(self) -> bool:
        """Whether all tokens so far are those that open a message: a channel's name is no word."""
        opening = self.model.catalog.answer_prefix
        return self.count <= len(opening) and tuple(self.answer_ids) == opening[: self.count]

    def _opening(self, text: str) -> str:
        """Templates put newlines around the reasoning; neither part begins with them."""
        if (self.model.thinks or self.closing) and self.thinking not in self.begun:
            text = text.lstrip("\n")
            if text:
                self.begun.add(self.thinking)
        return text

    def _rest(self) -> list[Piece]:
        """What the decoders still held."""
        held = [(self.reasoning.flush().text, True), (self.content.flush().text, False)]
        return [self._piece(text, thinking) for text, thinking in held if text]

    def _piece(self, text: str, thinking: bool) -> Piece:
        tokens, self.pending = tuple(self.pending), []
        return Piece(text, tokens, thinking)


def tokens_of(sequence: SampledSequence) -> list[Token]:
    """The engine's arrays, token by token."""
    ids, logprobs = sequence.tokens.tolist(), sequence.logprobs.tolist()
    if sequence.topk is None:
        return [Token(*pair) for pair in zip(ids, logprobs, strict=True)]
    rows = zip(sequence.topk.token_ids.tolist(), sequence.topk.logprobs.tolist(), strict=True)
    tops = [tuple(zip(*row, strict=True)) for row in rows]
    return [Token(id, p, top) for id, p, top in zip(ids, logprobs, tops, strict=True)]
