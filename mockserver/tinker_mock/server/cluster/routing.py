"""What a request is about, and so who has to answer it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from tinker_mock.server.database.units import SERVICE, unit_of_id, unit_of_path
from tinker_mock.server.wire.exchange import Exchange

IDS = ("session_id", "model_id", "run_id", "sampler_id", "sampling_session_id")
"""Fields and parameters that begin with a session's id."""
PATHS = ("tinker_path",)
ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
"""What ids of sessions and promises look like; see `ids.py`."""
ANYWHERE = {
    "healthz",
    "get_server_capabilities",
    "get_client_config",
    "get_dynamic_config",
    "get_auth_config",
    "list_text_models",
    "get_text_model",
    "count_message_tokens",
}
"""Operations that every server answers alike."""
OWN = {
    "asample",
    "cancel_future",
    "forward",
    "forward_backward",
    "optim_step",
    "retrieve_future",
    "retrieve_futures",
    "send_telemetry",
    "session_heartbeat",
    "stream_sample",
}
"""Operations that need nothing of what others own."""

TOLD = {"create_api_key", "create_auth_token", "delete_my_api_key"}
"""Operations after which every server knows of it before the client does."""


def unit_named(exchange: Exchange) -> str | None:
    """The unit that a request names; None for one that names a promise, and may be there."""
    body = exchange.body if isinstance(exchange.body, dict) else {}
    target = body.get("target")
    for told in (exchange.path_params, body, target if isinstance(target, dict) else {}):
        if "request_id" in told:
            return None if ID.fullmatch(str(told["request_id"])) else SERVICE
        unit = _unit(told)
        if unit is not None:
            return unit
    return SERVICE


def request_named(exchange: Exchange) -> str:
    """The promise that a request names."""
    body = exchange.body if isinstance(exchange.body, dict) else {}
    return str(exchange.path_params.get("request_id") or body.get("request_id"))


def _unit(told: Mapping[str, Any]) -> str | None:
    for name in IDS:
        value = told.get(name)
        if isinstance(value, str) and value:
            return _known(unit_of_id(value))
    for name in PATHS:
        value = told.get(name)
        if isinstance(value, str) and value:
            return _known(unit_of_path(value))
    return None


def _known(unit: str) -> str:
    """The service answers for what can be no session."""
    return unit if ID.fullmatch(unit) else SERVICE
