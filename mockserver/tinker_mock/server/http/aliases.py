"""Addresses of older documents: what the path of today says, those put elsewhere."""

import re
from typing import Any

import orjson

from tinker_mock.contracts import Operation
from tinker_mock.server.errors import Unprocessable
from tinker_mock.server.wire.exchange import Exchange

PATH = re.compile(r"(?:tinker://)?([^/]+)/(weights|sampler_weights|external_weights)/([^/]+)$")
NAMES = ("tinker_path", "checkpoint_path", "model_path", "path")
RUN_NAMES = ("training_run_id", "run_id", "model_id")


def rewrite_alias(exchange: Exchange, operation: Operation) -> None:
    """Fill in the checkpoint that an alias names in its query, its body or as one path.

    Raises Unprocessable when it names none.
    """
    named_here = "tinker_path" in exchange.path_params
    if "{kind}" not in operation.path or (exchange.path_params and not named_here):
        return
    given = {**_body(exchange.raw_body), **exchange.query, **exchange.path_params}
    named = next((str(given[name]) for name in NAMES if given.get(name)), "")
    if not named:
        run = next((given[name] for name in RUN_NAMES if given.get(name)), "")
        named = f"{run}/{given.get('checkpoint_id', '')}"
    found = PATH.match(named)
    if found is None:
        raise Unprocessable(
            f"tinker_path: {operation.id} needs a checkpoint here",
            pointer="/tinker_path",
            rule="tinker://<training run>/<weights|sampler_weights|external_weights>/<name>",
            fix=f"send tinker_path, or training_run_id and checkpoint_id, or use {operation.path}",
        )
    exchange.path_params = dict(zip(("run_id", "kind", "name"), found.groups(), strict=True))


def _body(content: bytes) -> dict[str, Any]:
    try:
        body = orjson.loads(content)
    except orjson.JSONDecodeError:
        return {}
    return body if isinstance(body, dict) else {}
