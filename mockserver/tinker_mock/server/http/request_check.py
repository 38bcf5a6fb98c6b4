"""Requests held to the contract: parameters, and bodies decompressed, decoded and judged."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import orjson

from tinker_mock.contracts import Operation
from tinker_mock.contracts.schema import coerce
from tinker_mock.server.budget import checkpoint
from tinker_mock.server.errors import Unprocessable, UnsupportedMediaType
from tinker_mock.server.http.json_body import VALUE_SIZE, read_json, values_of
from tinker_mock.server.http.kept_fields import LARGEST, check_kept
from tinker_mock.server.lazy_module import LazyModule
from tinker_mock.server.service.compute import Compute
from tinker_mock.server.wire.connection import Connection
from tinker_mock.server.wire.decompression import decompressed, encoding_of
from tinker_mock.server.wire.exchange import IN_THREAD, JSON, PROTOBUF, Exchange
from tinker_mock.server.wire.json_text import json_pieces
from tinker_mock.server.wire.problems import contract_breach

if TYPE_CHECKING:
    from tinker_mock.server.wire import protobuf_requests
else:
    protobuf_requests = LazyModule("tinker_mock.server.wire.protobuf_requests")

BYTES = "application/octet-stream"
"""A body that is a file: whatever it is, it is no matter of the contract."""


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
    exchange.weight = len(content)
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
    exchange.weight += VALUE_SIZE * values_of(content)
    exchange.body = read_json(content, connection.take)
    checkpoint()
    known = operation.knows(exchange.body)
    exchange.request_violations = [] if known else operation.check_request(exchange.body)
    checkpoint()
    if exchange.request_violations:
        raise contract_breach(exchange.request_violations)
    if len(content) > LARGEST and isinstance(exchange.body, dict):
        check_kept(exchange.body)
    operation.coerce_integers(exchange.body)
    if operation.promised:
        large, sort = len(content) >= IN_THREAD, orjson.OPT_SORT_KEYS
        whole = () if large else (orjson.dumps(exchange.body, option=sort),)
        exchange.fingerprint = _fingerprint(operation, whole or json_pieces(exchange.body, sort))
    exchange.unknown_fields = [] if known else operation.unknown_fields(exchange.body)
    if exchange.unknown_fields and rules.strict:
        raise _unknown(exchange.unknown_fields)


def _fingerprint(operation: Operation, canonical: Iterable[bytes]) -> str:
    found = hashlib.sha256(operation.id.encode() + b"\0")
    for piece in canonical:
        found.update(piece)
    return found.hexdigest()


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
