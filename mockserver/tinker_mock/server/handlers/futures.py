"""Promises over HTTP: poll one, poll a session's, cancel."""

import asyncio
from typing import Any

from tinker_mock.server.engine import LossResult
from tinker_mock.server.promises import Promise
from tinker_mock.server.service import sampling
from tinker_mock.server.wire.exchange import Answer, Exchange
from tinker_mock.server.wire.problems import failed_promise
from tinker_mock.server.wire.results import encode_result

IN_THREAD = 64
"""Losses of more datums than this are encoded in a thread."""
METADATA_FROM = 64 * 1024
"""Results of this many bytes and more are announced before they are sent, if the poll allows."""


async def retrieve_future(exchange: Exchange) -> Answer:
    """The outcome of a promise, or try again after the long poll's limit."""
    simulator, body = exchange.simulator, exchange.body
    promise = simulator.promises.get(exchange.owner.id, body["request_id"])
    promise.polls += 1
    simulator.policy.polled(promise)
    if not await simulator.promises.wait(promise, simulator.settings.long_poll):
        promise = simulator.promises.get(exchange.owner.id, body["request_id"])
        if promise.open:
            return _try_again(exchange, promise)
    return await _outcome(exchange, simulator.promises.get(exchange.owner.id, body["request_id"]))


def _try_again(exchange: Exchange, promise: Promise) -> Answer:
    queue = exchange.simulator.policy.queue_state(promise)
    told = {"type": "try_again", "request_id": promise.request_id, "queue_state": queue.state}
    if queue.reason is not None:
        told["queue_state_reason"] = queue.reason
    assert exchange.dialect is not None
    return Answer(exchange.dialect.try_again_status, told)


async def _outcome(exchange: Exchange, promise: Promise) -> Answer:
    outcome, dialect = promise.outcome, exchange.dialect
    assert outcome is not None
    assert dialect is not None
    if outcome.state != "completed":
        return Answer(body=failed_promise(outcome.error, outcome.category, dialect))
    accept = exchange.headers.get("accept", "")
    if isinstance(outcome.result, LossResult) and len(outcome.result.outputs) > IN_THREAD:
        answer = await asyncio.to_thread(encode_result, outcome.result, accept, dialect)
    else:
        answer = encode_result(outcome.result, accept, dialect)
    allowed = exchange.body.get("allow_metadata_only", False)
    size = len(answer.encoded())
    if allowed and dialect.understands("metadata_only") and size >= METADATA_FROM:
        told = {"status": "complete_metadata", "response_payload_size": size}
        return Answer(body=told)
    exchange.notes["result_of"] = promise.operation
    return answer


async def retrieve_futures(exchange: Exchange) -> dict[str, Any]:
    """Completions of one sampling client after a cursor."""
    simulator, body = exchange.simulator, exchange.body
    target = body["target"]
    sampler_id = target["sampling_session_id"]
    sampler = sampling.get_sampler(simulator, exchange.owner, sampler_id)
    clone = target.get("cloned_sampler_id", 0)
    lane_id = sampling.lane_of(sampler.id, clone * sampling.CLIENT_BLOCK)
    for request_id in body.get("retrieved_request_ids") or ():
        known = simulator.promises.promises.get(request_id)
        if known is not None and known.tenant_id == exchange.owner.id:
            known.acknowledged = True
    for promise in simulator.promises.open_in(lane_id):
        promise.polls += 1
        simulator.policy.polled(promise)
    limit = body.get("timeout")
    timeout = simulator.settings.long_poll if limit is None else min(limit, 30.0)
    after = body.get("prev_cursor", 0)
    done = await simulator.promises.wait_lane(lane_id, after, timeout)
    cursor = max([after, *(promise.number for promise in done)])
    return {"completions": [_completion(promise) for promise in done], "cursor": cursor}


def _completion(promise: Promise) -> dict[str, Any]:
    state = "finished" if promise.state == "completed" else "failed"
    return {"state": state, "request_id": promise.request_id}


def cancel_future(exchange: Exchange) -> dict[str, Any]:
    """Cancel a promise that has not finished; finished ones stay as they are."""
    promises = exchange.simulator.promises
    promises.cancel(promises.get(exchange.owner.id, exchange.body["request_id"]))
    return {}
