"""What rules see of an exchange, which has been neither decoded nor authenticated yet."""

import hashlib
from typing import Any

import orjson

from tinker_mock.server.effects import PROMISE_READS
from tinker_mock.server.faults.promise_effects import requested, tenant_of
from tinker_mock.server.faults.rules import Subject
from tinker_mock.server.service.backend import Backend
from tinker_mock.server.wire.exchange import PROTOBUF, Exchange

LARGE = 1024 * 1024  # JSON bodies above are not looked into
NAMES = ("base_model", "model_id", "sampling_session_id", "model")
FIRST_FIELD_TEXT = 0x0A  # protobuf tag: field 1, length-delimited; model_id of a request
LONG = 300  # characters of an address above which its digest stands for it
HEAD = 4096  # bytes of a protobuf body within which its first field ends


def identity(exchange: Exchange) -> str:
    """The same for a request and its retries: operation, address and body."""
    digest, path = hashlib.sha256(exchange.raw_body).hexdigest()[:16], exchange.path
    if len(path) > LONG:
        path = hashlib.sha256(path.encode("utf-8", "surrogatepass")).hexdigest()
    return f"{exchange.method} {path} {digest}"


def subject_of(backend: Backend, exchange: Exchange) -> Subject:
    """`models` are the names in the body and the base model behind them."""
    operation = exchange.operation.id if exchange.operation else ""
    promise = requested(backend, exchange) if operation in PROMISE_READS else None
    names = _named(exchange)
    bases = [_base_model(backend, name) for name in names]
    bases += [promise.base_model] if promise else []
    return Subject(
        operation=operation,
        identity=identity(exchange),
        models=tuple(name for name in [*names, *bases] if name),
        client=exchange.dialect.label,
        tenant=tenant_of(backend, exchange),
        promise=promise.operation if promise else "",
    )


def _named(exchange: Exchange) -> list[str]:
    content_type = exchange.headers.get("content-type", "")
    if PROTOBUF in content_type:
        return [_protobuf_model(exchange)]
    if "json" not in content_type or len(exchange.raw_body) > LARGE:
        return []
    try:
        body: Any = orjson.loads(exchange.raw_body)
    except orjson.JSONDecodeError:
        return []
    values = [body.get(name) for name in NAMES] if isinstance(body, dict) else []
    return [value for value in values if isinstance(value, str)]


def _protobuf_model(exchange: Exchange) -> str:
    """The model_id at the head of a forward-backward message; empty if it is not there."""
    head = exchange.raw_body[:HEAD]
    if exchange.headers.get("content-encoding") == "zstd":
        import zstandard

        try:
            head = zstandard.ZstdDecompressor().stream_reader(exchange.raw_body).read(HEAD)
        except zstandard.ZstdError:
            return ""
    if len(head) < 2 or head[0] != FIRST_FIELD_TEXT or head[1] > 0x7F:
        return ""
    return head[2 : 2 + head[1]].decode("utf-8", "replace")


def _base_model(backend: Backend, name: str) -> str:
    state = backend.state
    known = state.runs.get(name) or state.samplers.get(name)
    return known.base_model if known is not None else ""
