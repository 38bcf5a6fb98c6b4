"""One sample as server-sent events: a token each, then the end."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any

from mockserver.edge.sse import event
from mockserver.engine import EngineError, SampledSequence, Sampler, SampleResult
from mockserver.errors import BadRequest
from mockserver.service.bases import give_text
from mockserver.service.billing import bill
from mockserver.service.sampling import engine_request, entropy_of
from mockserver.state.records import SamplingSession

if TYPE_CHECKING:
    from mockserver.simulator import Simulator


async def stream(
    simulator: Simulator, sampler: SamplingSession, body: dict[str, Any]
) -> AsyncIterator[bytes]:
    """The events of a sample; raises BadRequest before the first one."""
    base = simulator.base(sampler.base_model)
    entropy = entropy_of(simulator, sampler, body.get("seq_id"))

    def work() -> tuple[SampleResult, int]:
        give_text(base, simulator.catalog.get(sampler.base_model))
        request = engine_request(simulator, sampler, body, entropy)
        return Sampler(base, sampler.weights).sample(request), request.prompt.size

    try:
        result, prefill = await simulator.compute(work)
    except EngineError as error:
        raise BadRequest(
            f"{error.field}: {error.rule}", pointer=f"/{error.field}", fix=error.fix
        ) from error
    sampled = sum(sequence.tokens.size for sequence in result.sequences)
    bill(simulator, sampler.session_id, sampler.base_model, "sampling_prefill", prefill)
    bill(simulator, sampler.session_id, sampler.base_model, "sampling_sample", sampled)
    return _events(result, base.decode)


async def _events(result: SampleResult, decode: Any) -> AsyncIterator[bytes]:
    for index, sequence in enumerate(result.sequences):
        for token, logprob, text in _pieces(sequence, decode):
            told = {"token": text, "token_id": token, "index": index, "logprob": logprob}
            yield event(told, name="token")
        done = {
            "index": index,
            "finish_reason": sequence.stop_reason,
            "total_tokens": int(sequence.tokens.size),
        }
        yield event(done, name="done")


def _pieces(sequence: SampledSequence, decode: Any) -> list[tuple[int, float, str | None]]:
    """Each token with its log-probability and the text it adds (None without a tokenizer)."""
    tokens, logprobs = sequence.tokens.tolist(), sequence.logprobs.tolist()
    found, said = [], ""
    for place, (token, logprob) in enumerate(zip(tokens, logprobs, strict=True)):
        text = None
        if decode is not None:
            whole = decode(tokens[: place + 1])
            # A character cut in two shows as U+FFFD: its text comes with the token that ends it.
            complete = whole.rstrip("\ufffd")
            text, said = complete[len(said) :], max(said, complete, key=len)
        found.append((token, logprob, text))
    return found
