"""Effects on polled promises: pending once more, expired, or failed for good."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import orjson

from tinker_mock.server.effects import Effect
from tinker_mock.server.promises import Outcome, Promise
from tinker_mock.server.wire.exchange import Answer, Exchange

QUEUE_STATES = {
    "": "active",
    "-capacity": "paused_capacity",
    "-rate-limit": "paused_rate_limit",
}


def requested(exchange: Exchange) -> Promise | None:
    """The promise a poll is about; None when the service has to refuse the poll itself."""
    try:
        body: Any = orjson.loads(exchange.raw_body)
    except orjson.JSONDecodeError:
        return None
    request_id = body.get("request_id") if isinstance(body, dict) else None
    promise = exchange.simulator.promises.promises.get(str(request_id))
    if promise is None or promise.tenant_id != tenant_of(exchange):
        return None
    return promise


def tenant_of(exchange: Exchange) -> str:
    """The tenant of an exchange that has not passed authentication yet; empty if refused."""
    from tinker_mock.server.errors import Unauthenticated

    try:
        return exchange.simulator.authenticator.tenant(exchange.headers).id
    except Unauthenticated:
        return ""


async def _finished(exchange: Exchange) -> Promise | None:
    """The polled promise once its work is done (or the long poll's limit is up): whether the
    work has been done must not depend on when the poll came."""
    promise = requested(exchange)
    if promise is not None:
        simulator = exchange.simulator
        await simulator.promises.wait(promise, simulator.settings.long_poll)
    return promise


async def _try_again(exchange: Exchange, effect: Effect) -> Answer | None:
    promise = requested(exchange)
    if promise is None:
        return None
    state = QUEUE_STATES[effect.variant]
    body = {"type": "try_again", "request_id": promise.request_id, "queue_state": state}
    if effect.variant:
        body["queue_state_reason"] = f"injected by the effect {effect.word}"
    status = exchange.dialect.try_again_status if exchange.dialect else 408
    return Answer(status, body)


async def _expire(exchange: Exchange, effect: Effect) -> None:
    promise = await _finished(exchange)
    if promise is not None:
        exchange.simulator.promises.expire(promise)


async def _fail(exchange: Exchange, effect: Effect) -> None:
    promise = await _finished(exchange)
    if promise is not None:
        reason = f"fault injected by the mock: {effect.word}"
        outcome = Outcome("failed", error=reason, category=effect.variant)
        exchange.simulator.promises.fail(promise, outcome)


PROMISE_EFFECTS: dict[str, Callable[[Exchange, Effect], Awaitable[Answer | None]]] = {
    "try-again": _try_again,
    "expire": _expire,
    "fail": _fail,
}
"""Expired and failed promises are then answered by the service itself, as its own would be."""
