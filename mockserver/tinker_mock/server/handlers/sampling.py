"""Sampling sessions and samples."""

from collections.abc import AsyncGenerator, AsyncIterator, Awaitable
from contextlib import aclosing
from typing import Any

from tinker_mock.server.service import lengths, offer, sampling, sessions, streaming
from tinker_mock.server.service.backend import Backend
from tinker_mock.server.service.submission import Submission, submit
from tinker_mock.server.state.promise import LARGE
from tinker_mock.server.state.records import SamplingSession
from tinker_mock.server.wire import sse
from tinker_mock.server.wire.exchange import Answer, Exchange


def create_sampling_session(backend: Backend, exchange: Exchange) -> dict[str, Any]:
    """Open a sampling session on a base model or a checkpoint."""
    body = exchange.body
    session = sessions.active_session(backend, exchange.owner, body["session_id"])
    sampler = sampling.create_sampler(backend, exchange.owner, session, body)
    return {"sampling_session_id": sampler.id, "type": "create_sampling_session"}


def join_sampling_session(backend: Backend, exchange: Exchange) -> dict[str, Any]:
    """Give one more client of a sampling session its own block of numbers."""
    sampler = _sampler(backend, exchange)
    sampler.clients += 1
    return {"client_counter": sampler.clients, "type": "join_sampling_session"}


def get_sampler(backend: Backend, exchange: Exchange) -> dict[str, Any]:
    """What a sampling session samples from."""
    sampler_id = exchange.path_params["sampler_id"]
    sampler = sampling.get_sampler(backend, exchange.owner, sampler_id, "/sampler_id")
    body = {"sampler_id": sampler.id, "base_model": sampler.base_model}
    return body if sampler.model_path is None else {**body, "model_path": sampler.model_path}


def asample(backend: Backend, exchange: Exchange) -> dict[str, Any] | Awaitable[dict[str, Any]]:
    """Submit a sample; repeating a seq_id gets the same promise."""
    sampler = _sampler(backend, exchange)
    if exchange.weight > LARGE:
        return _submit_large(backend, exchange, sampler)
    _check_prompt(backend, sampler, exchange.body)
    return _submit(backend, exchange, sampler)


async def _submit_large(
    backend: Backend, exchange: Exchange, sampler: SamplingSession
) -> dict[str, Any]:
    await backend.compute(_check_prompt, backend, sampler, exchange.body)
    return _submit(backend, exchange, sampler)


def _submit(backend: Backend, exchange: Exchange, sampler: SamplingSession) -> dict[str, Any]:
    body = exchange.body
    seq_id = body.get("seq_id")
    lane_id = sampling.lane_of(sampler.id, seq_id)
    key = seq_id if seq_id is not None else backend.ids.next("sample", sampler.id)
    places = range(sampling.sample_count(body))
    names = [backend.ids.derive("sequence", sampler.id, key, place) for place in places]
    submission = Submission(
        operation="asample",
        lane_id=lane_id,
        ordered=False,
        seq_id=seq_id,
        payload=body,
        session_id=sampler.session_id,
        model_id=sampler.id,
        base_model=sampler.base_model,
        sequence_ids=names,
        weight=exchange.weight,
    )
    promise = submit(backend, exchange.owner, exchange.fingerprint, submission)
    return {"request_id": promise.request_id, "sample_sequence_ids": promise.sequence_ids}


async def stream_sample(backend: Backend, exchange: Exchange) -> Answer:
    """Sample with one server-sent event a token."""
    sampler = _sampler(backend, exchange)
    if exchange.weight > LARGE:
        await backend.compute(_check_prompt, backend, sampler, exchange.body)
    else:
        _check_prompt(backend, sampler, exchange.body)
    events = await streaming.stream(backend, sampler, exchange.body)
    return sse.stream_answer(_as_sse(events), backend.clock)


async def _as_sse(events: AsyncGenerator[streaming.Event, None]) -> AsyncIterator[bytes]:
    async with aclosing(events):
        async for name, said in events:
            yield sse.event(said, name=name)


def _check_prompt(backend: Backend, sampler: SamplingSession, body: dict[str, Any]) -> None:
    """The model is still on offer, the request fits its context and is not too much work."""
    model = offer.sampleable(backend, sampler.base_model)
    lengths.check_sampling(backend, model, body)
    sampling.check_work(backend, sampler, body)


def _sampler(backend: Backend, exchange: Exchange) -> Any:
    sampler_id = exchange.body["sampling_session_id"]
    sampler = sampling.get_sampler(backend, exchange.owner, sampler_id)
    sessions.active_session(backend, exchange.owner, sampler.session_id)
    return sampler
