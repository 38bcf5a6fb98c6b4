"""Samples told token by token, then their end.

Tokens are drawn slice by slice when the stream asks for them, so a client that hangs up ends the
generation within a slice. The samples of a request come one after the other.
"""

from collections.abc import AsyncGenerator, Callable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinker_mock.server.engine import EngineError, SampledSequence, Sampler
from tinker_mock.server.errors import BadRequest
from tinker_mock.server.scripts.draw import Draw
from tinker_mock.server.service.backend import Backend
from tinker_mock.server.service.bases import base_of, give_text
from tinker_mock.server.service.prompt_cache import ReadPrompt
from tinker_mock.server.service.sampling import FIRST_SLICE, SLICE, engine_request, entropy_of
from tinker_mock.server.service.usage import bill
from tinker_mock.server.state.records import SamplingSession

Decode = Callable[[Sequence[int]], str]
Slices = Iterator[SampledSequence]
Event = tuple[str, dict[str, Any]]
"""`token` or `done`, and what is said with it."""


async def stream(
    backend: Backend, sampler: SamplingSession, body: dict[str, Any]
) -> AsyncGenerator[Event, None]:
    """The events of a sample; raises BadRequest before the first one."""
    base = base_of(backend, sampler.base_model)
    entropy = entropy_of(backend, sampler, body.get("seq_id"))

    def work() -> tuple[list[Slices], NDArray[np.int64], Draw]:
        give_text(base, backend.catalog.get(sampler.base_model))
        request, draw = engine_request(backend, sampler, body, entropy)
        source = Sampler(base, sampler.weights)
        samples = range(request.num_samples)
        slices = [source.slices(request, i, FIRST_SLICE, SLICE) for i in samples]
        return slices, request.prompt, draw

    try:
        samples, prompt, draw = await backend.compute(work)
    except EngineError as error:
        raise BadRequest(
            f"{error.field}: {error.rule}", pointer=f"/{error.field}", fix=error.fix
        ) from error
    ReadPrompt(backend, sampler, body.get("seq_id") or 0, prompt).billed()
    return _events(backend, sampler, samples, base.decode, draw)


async def _events(
    backend: Backend,
    sampler: SamplingSession,
    samples: list[Slices],
    decode: Decode | None,
    draw: Draw,
) -> AsyncGenerator[Event, None]:
    sampled = 0
    try:
        for index, slices in enumerate(samples):
            text_so_far, before, reason = IncrementalText(decode), sampled, "length"
            tokens: list[int] = []
            while (part := await backend.compute.run(_next, slices, small=True)) is not None:
                sampled, reason = sampled + part.tokens.size, part.stop_reason
                pairs = zip(part.tokens.tolist(), part.logprobs.tolist(), strict=True)
                tokens += part.tokens.tolist()
                for token, logprob in pairs:
                    text = text_so_far.add(token)
                    said = {"token": text, "token_id": token, "index": index, "logprob": logprob}
                    yield "token", said
            draw.count(tokens)
            size = sampled - before
            yield "done", {"index": index, "finish_reason": reason, "total_tokens": size}
    finally:
        if sampler.session_id in backend.state.sessions:  # a reset may have come in between
            bill(backend, sampler.session_id, sampler.base_model, "sampling_sample", sampled)


def _next(slices: Slices) -> SampledSequence | None:
    return next(slices, None)


class IncrementalText:
    """The text each token adds (None without a tokenizer).

    A character cut in two shows as U+FFFD: its text comes with the token that ends it. Only the
    tokens since the last whole character are decoded again, and what was told with them.
    """

    def __init__(self, decode: Decode | None) -> None:
        self.decode = decode
        self.tokens: list[int] = []
        self.sent = 0

    def add(self, token: int) -> str | None:
        """The text that this token makes certain."""
        if self.decode is None:
            return None
        before = self.decode(self.tokens[: self.sent])
        self.tokens.append(token)
        whole = self.decode(self.tokens)
        if whole.endswith("\ufffd"):
            return ""
        self.tokens, self.sent = self.tokens[self.sent :], len(self.tokens) - self.sent
        return whole[len(before) :]
