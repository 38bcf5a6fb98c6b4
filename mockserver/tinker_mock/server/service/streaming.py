"""Samples as server-sent events: a token each, then the end.

Tokens are drawn slice by slice when the stream asks for them, so a client that hangs up ends the
generation within a slice. The samples of a request come one after the other.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Iterator, Sequence
from typing import TYPE_CHECKING

from tinker_mock.server.engine import EngineError, SampledSequence, Sampler
from tinker_mock.server.errors import BadRequest
from tinker_mock.server.service.bases import give_text
from tinker_mock.server.service.billing import bill
from tinker_mock.server.service.sampling import engine_request, entropy_of
from tinker_mock.server.text.generation import FIRST_SLICE, SLICE
from tinker_mock.server.wire.sse import event

if TYPE_CHECKING:
    from typing import Any

    from tinker_mock.server.simulator import Simulator
    from tinker_mock.server.state.records import SamplingSession

Decode = Callable[[Sequence[int]], str]
Slices = Iterator[SampledSequence]


async def stream(
    simulator: Simulator, sampler: SamplingSession, body: dict[str, Any]
) -> AsyncGenerator[bytes, None]:
    """The events of a sample; raises BadRequest before the first one."""
    base = simulator.base(sampler.base_model)
    entropy = entropy_of(simulator, sampler, body.get("seq_id"))

    def work() -> tuple[list[Slices], int]:
        give_text(base, simulator.catalog.get(sampler.base_model))
        request = engine_request(simulator, sampler, body, entropy)
        source = Sampler(base, sampler.weights)
        samples = range(request.num_samples)
        return [source.slices(request, i, FIRST_SLICE, SLICE) for i in samples], request.prompt.size

    try:
        samples, prefill = await simulator.compute(work)
    except EngineError as error:
        raise BadRequest(
            f"{error.field}: {error.rule}", pointer=f"/{error.field}", fix=error.fix
        ) from error
    bill(simulator, sampler.session_id, sampler.base_model, "sampling_prefill", prefill)
    return _events(simulator, sampler, samples, base.decode)


async def _events(
    simulator: Simulator, sampler: SamplingSession, samples: list[Slices], decode: Decode | None
) -> AsyncGenerator[bytes, None]:
    sampled = 0
    try:
        for index, slices in enumerate(samples):
            spoken, before, reason = SpokenText(decode), sampled, "length"
            while (part := await simulator.compute(_next, slices)) is not None:
                sampled, reason = sampled + part.tokens.size, part.stop_reason
                pairs = zip(part.tokens.tolist(), part.logprobs.tolist(), strict=True)
                for token, logprob in pairs:
                    told = {"token": spoken.add(token), "token_id": token, "index": index}
                    yield event({**told, "logprob": logprob}, name="token")
            size = sampled - before
            done = {"index": index, "finish_reason": reason, "total_tokens": size}
            yield event(done, name="done")
    finally:
        if sampler.session_id in simulator.state.sessions:  # a reset may have come in between
            bill(simulator, sampler.session_id, sampler.base_model, "sampling_sample", sampled)


def _next(slices: Slices) -> SampledSequence | None:
    return next(slices, None)


class SpokenText:
    """The text each token adds (None without a tokenizer).

    A character cut in two shows as U+FFFD: its text comes with the token that ends it. Only the
    tokens since the last whole character are decoded again, and what was told with them.
    """

    def __init__(self, decode: Decode | None) -> None:
        self.decode = decode
        self.tokens: list[int] = []
        self.told = 0

    def add(self, token: int) -> str | None:
        """The text that this token makes certain."""
        if self.decode is None:
            return None
        before = self.decode(self.tokens[: self.told])
        self.tokens.append(token)
        whole = self.decode(self.tokens)
        if whole.endswith("\ufffd"):
            return ""
        self.tokens, self.told = self.tokens[self.told :], len(self.tokens) - self.told
        return whole[len(before) :]
