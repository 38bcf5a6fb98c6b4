"""Requests held to the contract: parameters, and bodies decompressed, decoded and judged."""

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import orjson

from tinker_mock.contracts import Operation
from tinker_mock.contracts.schema import coerce
from tinker_mock.server.budget import checkpoint
from tinker_mock.server.errors import Unprocessable, UnsupportedMediaType
from tinker_mock.server.http.json_body import read_json
from tinker_mock.server.lazy_module import LazyModule
from tinker_mock.server.service.compute import Compute
from tinker_mock.server.wire.connection import Connection
from tinker_mock.server.wire.decompression import decompressed, encoding_of
from tinker_mock.server.wire.exchange import IN_THREAD, JSON, PROTOBUF, Exchange
from tinker_mock.server.wire.problems import contract_breach

if TYPE_CHECKING:
    from tinker_mock.server.wire import protobuf_requests
else:
    protobuf_requests = LazyModule("tinker_mock.server.wire.protobuf_requests")

BYTES = "application/octet-stream"
"""A body that is a file: whatever it is, it is no matter of the contract."""


AT_ONCE = 4096
"""Items that are written in one go."""
SMALL = 1024
"""Compressed bodies up to this size become a megabyte at most: they need no thread."""


@dataclass(frozen=True)
class RequestRules:
    """How strictly requests are held to the contract."""

    refuse: bool = True
    """A breach is refused; otherwise it is noted, and the request goes on."""
    strict: bool = False
    """Unknown fields are a breach."""
    content_types: bool = True
    """A body of another type than the operation takes is a breach; otherwise it is read as if."""


async def decode_body(
    exchange: Exchange,
    operation: Operation,
    rules: RequestRules,
    connection: Connection,
    compute: Compute,
) -> None:
    """Fill in `exchange.body` and judge it by the contract; raises what the client did wrong."""
    if not operation.request_types or BYTES in operation.request_types:
        return
    content = exchange.raw_body
    encoding = encoding_of(exchange.headers.get("content-encoding", ""))
    if encoding and len(content) > SMALL:
        content = await compute(decompressed, content, encoding, connection.hold)
    elif encoding:
        content = decompressed(content, encoding, connection.hold)
    if len(content) < IN_THREAD:
        _decode(content, exchange, operation, rules, connection)
    else:
        await compute(_decode, content, exchange, operation, rules, connection)


def _decode(
    content: bytes,
    exchange: Exchange,
    operation: Operation,
    rules: RequestRules,
    connection: Connection,
) -> None:
    if not content and not operation.body_required:
        exchange.body = {}
        return
    kind = exchange.headers.get("content-type", JSON).split(";")[0].strip().lower() or JSON
    exchange.content_type = kind if rules.content_types else operation.request_types[0]
    if exchange.content_type not in operation.request_types:
        raise UnsupportedMediaType(
            f"Content-Type: {kind!r} is not taken by {operation.id}",
            pointer="header:Content-Type",
            rule=f"one of {', '.join(operation.request_types)}",
            fix=f"send {operation.request_types[0]}",
            requirement="errors/content-type/refused",
        )
    if exchange.content_type == PROTOBUF:
        exchange.body, canonical = protobuf_requests.decode_forward_backward(content)
        exchange.fingerprint = _fingerprint(operation, [canonical])
        return
    exchange.body = read_json(content, connection.take)
    checkpoint()
    exchange.request_violations = operation.check_request(exchange.body)
    checkpoint()
    if exchange.request_violations:
        raise contract_breach(exchange.request_violations)
    operation.coerce_integers(exchange.body)
    if operation.promised:
        whole = len(content) < IN_THREAD
        pieces = [_sorted(exchange.body)] if whole else _pieces(exchange.body)
        exchange.fingerprint = _fingerprint(operation, pieces)
    exchange.unknown_fields = operation.unknown_fields(exchange.body)
    if exchange.unknown_fields and rules.strict:
        raise _unknown(exchange.unknown_fields)


def _fingerprint(operation: Operation, canonical: Iterable[bytes]) -> str:
    found = hashlib.sha256(operation.id.encode() + b"\0")
    for piece in canonical:
        found.update(piece)
    return found.hexdigest()


def _sorted(value: Any) -> bytes:
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)


def _pieces(value: Any) -> Iterator[bytes]:
    """A large value, some items at a time: one long call would keep everybody else waiting."""
    checkpoint()
    if isinstance(value, dict):
        yield b"{"
        for name in sorted(value):
            yield _sorted(name) + b":"
            yield from _pieces(value[name])
        yield b"}"
    elif isinstance(value, list) and value and isinstance(value[0], dict | list):
        yield b"["
        for item in value:
            yield from _pieces(item)
        yield b"]"
    elif isinstance(value, list):
        for start in range(0, len(value) or 1, AT_ONCE):
            yield _sorted(value[start : start + AT_ONCE])
    else:
        yield _sorted(value)


def _unknown(fields: list[str]) -> Unprocessable:
    first = fields[0].strip("/").replace("/", ".")
    return Unprocessable(
        f"{first}: the contract does not know this field (the server is strict)",
        pointer=fields[0],
        rule="strict servers refuse unknown fields",
        fix="leave the field out, or serve without --strict",
        details={"unknown_fields": fields},
    )


def judge_parameters(exchange: Exchange, operation: Operation) -> None:
    """Check path, query and headers; fill in typed query values with the contract's defaults."""
    if not operation.parameters:
        return
    violations = [
        *operation.check_path(exchange.path_params),
        *operation.check_query(exchange.query),
        *operation.check_headers(exchange.headers),
    ]
    exchange.request_violations = violations
    if violations:
        raise contract_breach(violations)
    for parameter in operation.parameters:
        if parameter.place == "query":
            if parameter.name in exchange.query:
                raw = exchange.query[parameter.name]
                exchange.query[parameter.name] = coerce(parameter.schema, raw)
            elif "default" in parameter.schema:
                exchange.query[parameter.name] = parameter.schema["default"]
