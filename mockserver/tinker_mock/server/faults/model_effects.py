"""Effects on models: their weights, or all that is known of them, are lost."""

from typing import Any

import orjson

from tinker_mock.server.effects import Effect
from tinker_mock.server.faults.promise_effects import tenant_of
from tinker_mock.server.service.backend import Backend
from tinker_mock.server.service.losing import lose_at
from tinker_mock.server.wire.exchange import Exchange


async def lose_model(backend: Backend, exchange: Exchange, effect: Effect) -> None:
    """The model of this request is lost when the request's turn comes."""
    try:
        body: Any = orjson.loads(exchange.raw_body)
    except orjson.JSONDecodeError:
        return
    told = body if isinstance(body, dict) else {}
    run, seq_id = backend.state.runs.get(str(told.get("model_id"))), told.get("seq_id")
    if run is None or run.tenant_id != tenant_of(backend, exchange):
        return
    if isinstance(seq_id, int):
        lose_at(run, seq_id, "model" if effect.variant == "model" else "weights")
