"""Promises over HTTP: poll one, poll a session's, cancel."""

from collections.abc import Awaitable
from typing import Any

from tinker_mock.server.engine import LossResult, SampleResult
from tinker_mock.server.errors import GoingDown
from tinker_mock.server.service import sampling, sessions
from tinker_mock.server.service.backend import Backend
from tinker_mock.server.state.promise import Promise
from tinker_mock.server.wire.exchange import Answer, Exchange
from tinker_mock.server.wire.problems import failed_promise
from tinker_mock.server.wire.results import encode_result

IN_THREAD = 64
"""Losses of more datums than this are encoded in a thread."""
MOST_IN_LINE = 10_000
"""Samples of more numbers than this are, too."""
METADATA_FROM = 64 * 1024
"""Results of this many bytes and more are announced before they are sent, if the poll allows."""


def retrieve_future(backend: Backend, exchange: Exchange) -> Answer | Awaitable[Answer]:
    """The outcome of a promise, or try again after the long poll's limit."""
    promise = backend.promises.get(exchange.owner.id, exchange.body["request_id"])
    _note_poll(backend, promise)
    if promise.open or _is_large(promise):
        return _retrieved(backend, exchange, promise)
    answer = _outcome(promise, exchange)
    return _told(backend, exchange, promise, answer)


async def _retrieved(backend: Backend, exchange: Exchange, promise: Promise) -> Answer:
    owner, request_id = promise.tenant_id, promise.request_id
    await backend.promises.wait(promise, backend.limits.long_poll)
    if not backend.store.owns(promise.session_id):
        raise GoingDown("servers have begun with another state", fix="repeat the request")
    promise = backend.promises.get(owner, request_id)  # a snapshot may have been restored
    if promise.open:
        return _try_again(backend, exchange, promise)
    if _is_large(promise):
        answer = await backend.compute(_outcome, promise, exchange, True)
    else:
        answer = _outcome(promise, exchange)
    return _told(backend, exchange, promise, answer)


def _is_large(promise: Promise) -> bool:
    """Whether its result is better encoded in a thread."""
    result = promise.outcome.result if promise.outcome else None
    if isinstance(result, SampleResult):
        return _size(result) > MOST_IN_LINE
    return isinstance(result, LossResult) and len(result.outputs) > IN_THREAD


def _size(result: SampleResult) -> int:
    """The numbers that a result has."""
    tables = [result.topk_prompt_logprobs, *(one.topk for one in result.sequences)]
    ranked = sum(table.token_ids.size for table in tables if table is not None)
    prompt = 0 if result.prompt_logprobs is None else result.prompt_logprobs.size
    return ranked + prompt + 2 * sum(one.tokens.size for one in result.sequences)


def _told(backend: Backend, exchange: Exchange, promise: Promise, answer: Answer) -> Answer:
    """The answer, after which the promise has been read unless its result was only announced."""
    if exchange.result_of or promise.state != "completed":
        backend.promises.read(promise)
    return answer


def _note_poll(backend: Backend, promise: Promise) -> None:
    promise.polls += 1
    sessions.note_poll(backend, promise.session_id)
    backend.policy.polled(promise)


def _try_again(backend: Backend, exchange: Exchange, promise: Promise) -> Answer:
    queue = backend.policy.queue_state(promise)
    body = {"type": "try_again", "request_id": promise.request_id, "queue_state": queue.state}
    if queue.reason is not None:
        body["queue_state_reason"] = queue.reason
    return Answer(exchange.dialect.try_again_status, body)


def _outcome(promise: Promise, exchange: Exchange, large: bool = False) -> Answer:
    outcome, dialect = promise.outcome, exchange.dialect
    assert outcome is not None
    if outcome.state != "completed":
        return Answer(body=failed_promise(outcome.error, outcome.category, dialect))
    answer = encode_result(outcome.result, exchange.headers.get("accept", ""), dialect)
    if large:
        answer.encode_in_pieces()
    allowed = exchange.body.get("allow_metadata_only", False)
    size = len(answer.encoded())
    if allowed and dialect.understands("metadata_only") and size >= METADATA_FROM:
        return Answer(body={"status": "complete_metadata", "response_payload_size": size})
    exchange.result_of = promise.operation
    return answer


async def retrieve_futures(backend: Backend, exchange: Exchange) -> dict[str, Any]:
    """Completions of one sampling client after a cursor."""
    body = exchange.body
    target = body["target"]
    sampler_id = target["sampling_session_id"]
    sampler = sampling.get_sampler(backend, exchange.owner, sampler_id)
    clone = target.get("cloned_sampler_id", 0)
    lane_id = sampling.lane_of(sampler.id, clone * sampling.CLIENT_BLOCK)
    for request_id in body.get("retrieved_request_ids") or ():
        known = backend.promises.promises.get(request_id)
        if known is not None and known.tenant_id == exchange.owner.id:
            known.acknowledged = True
    for promise in backend.promises.open_in(lane_id):
        _note_poll(backend, promise)
    limit = body.get("timeout")
    most = backend.limits.long_poll
    timeout = most if limit is None else min(limit, most)
    after = body.get("prev_cursor", 0)
    done = await backend.promises.wait_lane(lane_id, after, timeout)
    cursor = max([after, *(promise.number for promise in done)])
    return {"completions": [_completion(promise) for promise in done], "cursor": cursor}


def _completion(promise: Promise) -> dict[str, Any]:
    state = "finished" if promise.state == "completed" else "failed"
    return {"state": state, "request_id": promise.request_id}


def cancel_future(backend: Backend, exchange: Exchange) -> dict[str, Any]:
    """Cancel a promise that has not finished; finished ones stay as they are."""
    promises = backend.promises
    promises.cancel(promises.get(exchange.owner.id, exchange.body["request_id"]))
    return {}
