"""One exchange as a person reads it: binary bodies decoded, and a curl line that sends it again."""

import base64
import shlex
from typing import Any

from tinker_mock.contracts import load_contract
from tinker_mock.server.journal.bodies import restore_body
from tinker_mock.server.journal.entry import Entry
from tinker_mock.server.journal.message_view import readable
from tinker_mock.server.wire.exchange import PROTOBUF

KEY = "tml-mock"
LEFT_OUT = {"host", "content-length", "connection", "accept-encoding", "content-encoding"}
"""Headers that curl sets for itself, or that were true of the bytes on the wire only."""
SECRET = {"authorization", "x-api-key"}
LINE_LIMIT = 20_000
"""Bytes of a body above which a command line is no place for it."""


def in_full(entry: Entry, result_of: str) -> dict[str, Any]:
    """The journal's entry with `request_message` and `response_message`, decoded protobuf where
    a body is that, and `curl`. `result_of` is the operation whose result the answer carries."""
    return {
        **entry.as_dict(),
        "milliseconds": entry.milliseconds,
        "request_message": _decoded(entry.raw_request, entry.request_type, _request_of(entry)),
        "response_message": _decoded(
            entry.raw_response, entry.response_type, _result_of(result_of)
        ),
        "curl": curl_line(entry),
    }


def _request_of(entry: Entry) -> str:
    return "ForwardBackwardRequest" if entry.operation == "forward_backward" else ""


def _result_of(operation: str) -> str:
    known = load_contract("tinker").operations.get(operation)
    return known.result_message or "" if known else ""


def _decoded(content: bytes, content_type: str, message: str) -> Any:
    if not content or not message or PROTOBUF not in content_type:
        return None
    return readable(message, content)


def curl_line(entry: Entry) -> str:
    """A command for a POSIX shell; `$MOCK` is the mock's address. Keys are the mock's own."""
    query = "&".join(f"{name}={value}" for name, value in entry.query.items())
    address = f'"$MOCK"{shlex.quote(entry.path + (f"?{query}" if query else ""))}'
    words = ["curl", "-sS", "-X", entry.method, address]
    for name, value in entry.request_headers.items():
        if name in LEFT_OUT:
            continue
        if name in SECRET:
            value = f"Bearer {KEY}" if name == "authorization" else KEY
        words += ["-H", shlex.quote(f"{name}: {value}")]
    body = restore_body(entry.request_body)
    if len(body) > LINE_LIMIT:
        return " ".join([*words, "--data-binary", "@body"])
    if body and PROTOBUF in entry.request_type:
        encoded = base64.b64encode(entry.raw_request).decode()
        return " ".join([f"echo {encoded} | base64 -d |", *words, "--data-binary", "@-"])
    if body:
        words += ["--data-binary", shlex.quote(body.decode("utf-8", "replace"))]
    return " ".join(words)
