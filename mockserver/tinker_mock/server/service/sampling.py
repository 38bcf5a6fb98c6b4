"""Sampling sessions, and the work of asample."""

from collections.abc import Hashable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinker_mock.server.engine import Sampler, SampleRequest, SampleResult, Weights
from tinker_mock.server.errors import BadRequest, Conflict, NotFound, Unprocessable
from tinker_mock.server.scripts.draw import Draw
from tinker_mock.server.service import checkpoints, offer, session_room
from tinker_mock.server.service.backend import Backend
from tinker_mock.server.service.bases import base_of, give_text
from tinker_mock.server.service.inputs import prompt_tokens
from tinker_mock.server.service.lengths import sampled_context
from tinker_mock.server.service.prompt_cache import ReadPrompt
from tinker_mock.server.service.tensors import dense_tensor
from tinker_mock.server.service.usage import bill
from tinker_mock.server.state.promise import Promise
from tinker_mock.server.state.records import SamplingSession, Session, Tenant

Prompt = NDArray[np.int64]

CLIENT_BLOCK = 10**9
"""A cloned sampling client numbers its requests from clone × 10⁹."""
UNNUMBERED = 1_000_000
"""Where the numbers of sampling sessions begin that came without one."""
IDENTITY = ("session_id", "sampling_session_seq_id", "base_model", "model_path", "type")
"""What a repeated request must not have changed."""
MAX_SAMPLES = 1024
SHORT = 4096
"""Positions of a prompt that is read where it arrives."""
FEW_SAMPLES = 8
"""Requests for more are a batch of their own."""
FEW_CHUNKS = 64
"""A prompt of more is read in a thread."""
FEW_TOKENS = 512
"""So many are small work."""
RANKINGS = ("topk_prompt_logprobs", "topk_sample_logprobs", "prompt_alt_tokens_k")
PATIENCE, MOST_PATIENCE = 5e-5, 0.02
"""Seconds for each token that a sample may have, and at most, to wait for others: a fraction of
what so many take alone."""
FIRST_SLICE, SLICE = 4, 16
"""Tokens that a stream draws at a time."""


def get_sampler(
    backend: Backend, tenant: Tenant, sampler_id: str, pointer: str = "/sampling_session_id"
) -> SamplingSession:
    """The tenant's sampling session; raises NotFound."""
    sampler = backend.state.samplers.get(sampler_id)
    if sampler is None or sampler.tenant_id != tenant.id:
        raise NotFound(
            f"sampling_session_id: no sampling session {sampler_id!r} for this API key",
            pointer=pointer,
            rule="the id comes from create_sampling_session or save_weights_for_sampler",
            fix="create a sampling session first",
        )
    return sampler


def create_sampler(
    backend: Backend, tenant: Tenant, session: Session, body: dict[str, Any]
) -> SamplingSession:
    """Open a sampling session on a checkpoint, or on a base model.

    SDKs send both for a checkpoint whose base model they were told; it must be the right one.
    """
    base_model, path = body.get("base_model"), body.get("model_path")
    number = body["sampling_session_seq_id"]
    asked = {name: body[name] for name in IDENTITY if name in body}
    if path is None:
        if base_model is None:
            raise BadRequest(
                "base_model: send base_model or model_path",
                pointer="/base_model",
                rule="a base model or a checkpoint to sample from",
                fix="add one of them",
            )
        base_model = offer.sampleable(backend, base_model).name
        return open_sampler(backend, session, number, base_model, asked)
    source = checkpoints.readable(backend, tenant, path, "/model_path")
    base_model = offer.row_for(backend, source, base_model).name
    return open_sampler(backend, session, number, base_model, asked, source.weights, source.path)


def open_sampler(
    backend: Backend,
    session: Session,
    number: int | None,
    base_model: str,
    request: dict[str, Any],
    weights: Weights | None = None,
    path: str | None = None,
) -> SamplingSession:
    """The sampling session with that number; the same request gets the same session."""
    if number is None:
        number = _free_number(session)
    identity = f"{session.id}:sample:{number}"
    known = backend.state.samplers.get(identity)
    if known is not None:
        if known.request == request:
            return known
        raise Conflict(
            f"sampling_session_seq_id: {number} was already used in session {session.id!r}",
            pointer="/sampling_session_seq_id",
            rule="each sampling session of a session has its own number",
            fix="use the next number",
        )
    session_room.admit_sampler(backend, session)
    sampler = SamplingSession(
        id=identity,
        session_id=session.id,
        tenant_id=session.tenant_id,
        base_model=base_model,
        created_at=backend.clock.now(),
        request=request,
        model_path=path,
        weights=weights,
    )
    backend.state.samplers[identity] = sampler
    session.sampler_ids.append(identity)
    session.touch()
    return sampler


def _free_number(session: Session) -> int:
    """Of a sampler whose client gave it none: above all that were given, also the forgotten."""
    given = (int(one.rpartition(":")[2]) for one in reversed(session.sampler_ids))
    last = next((number for number in given if number >= UNNUMBERED), UNNUMBERED - 1)
    return max(UNNUMBERED + len(session.sampler_ids), last + 1)


def sample_count(body: dict[str, Any]) -> int:
    """How many sequences a request wants; raises Unprocessable for too many."""
    count = int(body.get("num_samples") or 1)
    if count > MAX_SAMPLES:
        raise Unprocessable(
            f"num_samples: {count} is greater than the maximum {MAX_SAMPLES}",
            pointer="/num_samples",
            rule=f"maximum {MAX_SAMPLES}",
            fix="split the request",
        )
    return count


def check_work(backend: Backend, sampler: SamplingSession, body: dict[str, Any]) -> None:
    """Raises BadRequest for more tokens than an operation may write."""
    count, asked = sample_count(body), body["sampling_params"].get("max_tokens") or 0
    length = min(asked, backend.catalog.get(sampler.base_model).context_length)
    most = backend.settings.work_tokens
    if count * length > most:
        raise BadRequest(
            f"num_samples: {count} samples of {length} tokens are more than {most} tokens",
            pointer="/num_samples",
            rule=f"num_samples × max_tokens is at most {most}",
            fix="split the request, or serve with a greater --work-tokens",
        )


def lane_of(sampler_id: str, seq_id: int | None) -> str:
    """The lane of one client of a sampling session."""
    return f"sampling:{sampler_id}:{(seq_id or 0) // CLIENT_BLOCK}"


def engine_request(
    backend: Backend,
    sampler: SamplingSession,
    body: dict[str, Any],
    entropy: str,
    prompt: Prompt | None = None,
) -> tuple[SampleRequest, Draw]:
    """The engine's request for a wire request, whose prompt may have been read before, and what it
    draws of scripts; raises BadRequest."""
    params = body["sampling_params"]
    model = backend.catalog.get(sampler.base_model)
    if prompt is None:
        prompt = prompt_tokens(body["prompt"], "prompt", model)
    base = base_of(backend, sampler.base_model)
    if _has_strings(params.get("stop")) or base.scripted_answers:
        give_text(base, model)
    draw = Draw(base, prompt)
    max_tokens = params.get("max_tokens")
    target = body.get("target_prompt_logprobs")
    request = SampleRequest(
        prompt=prompt,
        num_samples=sample_count(body),
        max_tokens=sampled_context(backend, model) - prompt.size
        if max_tokens is None
        else max_tokens,
        temperature=params.get("temperature", 1.0),
        top_k=params.get("top_k", -1),
        top_p=params.get("top_p", 1.0),
        seed=params.get("seed"),
        entropy=entropy,
        stop=params.get("stop"),
        prompt_logprobs=bool(body.get("prompt_logprobs")),
        prompt_logprobs_last_n=body.get("prompt_logprobs_last_n"),
        topk_prompt_logprobs=body.get("topk_prompt_logprobs") or 0,
        topk_sample_logprobs=body.get("topk_sample_logprobs") or 0,
        target_prompt_logprobs=target
        and dense_tensor(target, "target_prompt_logprobs", integer=True),
        prompt_alt_tokens_k=body.get("prompt_alt_tokens_k") or 0,
        begin=draw.begin(),
    )
    return request, draw


def _has_strings(stop: Any) -> bool:
    return isinstance(stop, str) or (
        isinstance(stop, list) and isinstance(next(iter(stop), 0), str)
    )


def entropy_of(backend: Backend, sampler: SamplingSession, seq_id: int | None) -> str:
    """What seeds a request without a seed: server seed, sampling session, number."""
    return f"{backend.settings.seed}:{sampler.id}:{seq_id}"


async def asample(backend: Backend, promise: Promise) -> SampleResult:
    """Work of asample; with that of others on the same weights where requests are alike."""
    sampler, body = backend.state.samplers[promise.model_id], promise.payload
    short = short_prompt(backend, sampler, body)
    asked = Asked(backend, sampler, body, entropy_of(backend, sampler, promise.seq_id), short)
    number = promise.seq_id or 0
    read = None if short is None else ReadPrompt(backend, sampler, number, short)
    small = _is_small(body, short)
    if sample_count(body) > FEW_SAMPLES:
        (done,) = await backend.compute.run(sampled_together, [asked], small=small)
    else:
        key = (small, asked.key)
        patience = min(MOST_PATIENCE, PATIENCE * (body["sampling_params"].get("max_tokens") or 0))
        done = await backend.batches.run(
            key,
            lambda: sampled_together,
            asked,
            small=small,
            patience=patience,
            crowd=asked.crowd,
        )
    result, prompt = done
    if read is None:
        read = ReadPrompt(backend, sampler, number, prompt)
    sampled = sum(sequence.tokens.size for sequence in result.sequences)
    bill(backend, sampler.session_id, sampler.base_model, "sampling_sample", sampled)
    return replace(result, cached_tokens=read.billed())


def _is_small(body: dict[str, Any], short: Prompt | None) -> bool:
    """Whether few tokens are read and written, and none of them is ranked."""
    asked = body["sampling_params"].get("max_tokens")
    ranked = any(body.get(name) for name in RANKINGS)
    return short is not None and not ranked and 0 < (asked or 0) * sample_count(body) <= FEW_TOKENS


def short_prompt(backend: Backend, sampler: SamplingSession, body: dict[str, Any]) -> Prompt | None:
    """The ids of a prompt that is text and not long: those of others are read in a thread."""
    chunks = body["prompt"]["chunks"]
    if len(chunks) > FEW_CHUNKS or any("tokens" not in chunk for chunk in chunks):
        return None
    if sum(len(chunk["tokens"]) for chunk in chunks) > SHORT:
        return None
    return prompt_tokens(body["prompt"], "prompt", backend.catalog.get(sampler.base_model))


@dataclass(frozen=True)
class Asked:
    """A request for samples as it came; it is read in the thread that answers it."""

    backend: Backend
    sampler: SamplingSession
    body: dict[str, Any]
    entropy: str
    prompt: Prompt | None

    @property
    def key(self) -> Hashable:
        """What requests have in common that may be sampled in one call."""
        stop, shown = (
            self.body["sampling_params"].get("stop"),
            self.body.get("topk_sample_logprobs"),
        )
        stop = tuple(stop) if isinstance(stop, list) else stop
        whose = self.sampler.tenant_id, self.sampler.base_model, self.sampler.weights
        return ("asample", *whose, *self._given("temperature", "top_k", "top_p"), stop, shown)

    @property
    def crowd(self) -> Hashable:
        """Whose habits say how many such requests come at once, also after the next step."""
        given = self._given("temperature", "top_k", "top_p", "max_tokens")
        return (self.sampler.tenant_id, self.sampler.base_model, *given)

    def _given(self, *names: str) -> list[Any]:
        """Parameters as they came."""
        return [self.body["sampling_params"].get(name) for name in names]


def sampled_together(asked: list[Asked]) -> list[tuple[SampleResult, Prompt]]:
    """The results of requests of one key, and their prompts. Raises BadRequest."""
    first = asked[0]
    base = base_of(first.backend, first.sampler.base_model)
    read = [
        engine_request(one.backend, one.sampler, one.body, one.entropy, one.prompt) for one in asked
    ]
    sampler = Sampler(base, first.sampler.weights)
    results = sampler.sample_together([request for request, _ in read])
    for result, (_, draw) in zip(results, read, strict=True):
        for sequence in result.sequences:
            draw.count(sequence.tokens.tolist())
    return [(result, request.prompt) for result, (request, _) in zip(results, read, strict=True)]
