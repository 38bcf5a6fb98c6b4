"""Effects on polled promises: pending once more, expired, or failed for good."""

from collections.abc import Awaitable, Callable
from typing import Any

import orjson

from tinker_mock.server.effects import Effect
from tinker_mock.server.errors import Unauthenticated
from tinker_mock.server.service.backend import Backend
from tinker_mock.server.state.promise import Outcome, Promise
from tinker_mock.server.wire.exchange import Answer, Exchange

QUEUE_STATES = {
    "": "active",
    "-capacity": "paused_capacity",
    "-rate-limit": "paused_rate_limit",
}


def requested(backend: Backend, exchange: Exchange) -> Promise | None:
    """The promise a poll is about; None when the service has to refuse the poll itself."""
    try:
        body: Any = orjson.loads(exchange.raw_body)
    except orjson.JSONDecodeError:
        return None
    request_id = body.get("request_id") if isinstance(body, dict) else None
    promise = backend.promises.promises.get(str(request_id))
    if promise is None or promise.tenant_id != tenant_of(backend, exchange):
        return None
    return promise


def tenant_of(backend: Backend, exchange: Exchange) -> str:
    """The tenant of an exchange that has not passed authentication yet; empty if refused."""
    try:
        return backend.authenticator.tenant(exchange.credential).id
    except Unauthenticated:
        return ""


async def _finished(backend: Backend, exchange: Exchange) -> Promise | None:
    """The polled promise once its work is done (or the long poll's limit is up): whether the
    work has been done must not depend on when the poll came."""
    promise = requested(backend, exchange)
    if promise is not None:
        await backend.promises.wait(promise, backend.limits.long_poll)
    return promise


async def _try_again(backend: Backend, exchange: Exchange, effect: Effect) -> Answer | None:
    promise = requested(backend, exchange)
    if promise is None:
        return None
    state = QUEUE_STATES[effect.variant]
    body = {"type": "try_again", "request_id": promise.request_id, "queue_state": state}
    if effect.variant:
        body["queue_state_reason"] = f"injected by the effect {effect.word}"
    return Answer(exchange.dialect.try_again_status, body)


async def _expire(backend: Backend, exchange: Exchange, effect: Effect) -> None:
    promise = await _finished(backend, exchange)
    if promise is not None:
        backend.promises.expire(promise)


async def _fail(backend: Backend, exchange: Exchange, effect: Effect) -> None:
    promise = await _finished(backend, exchange)
    if promise is not None:
        reason = f"fault injected by the mock: {effect.word}"
        outcome = Outcome("failed", error=reason, category=effect.variant)
        backend.promises.fail(promise, outcome)


PROMISE_EFFECTS: dict[str, Callable[[Backend, Exchange, Effect], Awaitable[Answer | None]]] = {
    "try-again": _try_again,
    "expire": _expire,
    "fail": _fail,
}
"""Expired and failed promises are then answered by the service itself, as its own would be."""
