"""One exchange as the journal keeps it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tinker_mock.server.journal.bodies import BODY_LIMIT, keep_body, keep_frames
from tinker_mock.server.journal.redaction import (
    redact,
    redact_headers,
    redact_query,
    redact_text,
)

BASE, PAIR, FRAME = 1800, 130, 120
"""Bytes that an entry takes beside its texts, a header beside name and value, a chunk beside its
content (measured; the journal's tests measure again)."""


@dataclass
class Entry:
    """Times are Unix seconds of the server's clock.

    `verdict` is `ok`, `request` (the client broke the contract), `response` (the mock did),
    `refused` (a proper request for what cannot be had), `fault` (an effect was applied) or
    `gone` (the client left before the answer).

    The `raw_` fields are as they came; whoever reads uses the redacted properties, made anew each
    time: most entries are never read, and none takes more room for having been.
    """

    number: int
    operation: str | None
    method: str
    raw_path: str
    raw_query: Mapping[str, Any]
    raw_request_headers: Mapping[str, str]
    received_at: float
    request_type: str = ""
    request_size: int = 0
    raw_request: bytes = b""
    tenant: str = ""
    client: str = ""
    answered_at: float | None = None
    status: int | None = None
    raw_response_headers: Mapping[str, str] = field(default_factory=dict)
    raw_response: bytes = b""
    frames: list[tuple[float, bytes]] = field(default_factory=list)
    """A streamed answer: Unix seconds and bytes of each chunk."""
    response_type: str = ""
    response_size: int = 0
    verdict: str = "open"
    violations: list[dict[str, Any]] = field(default_factory=list)
    unknown_fields: list[str] = field(default_factory=list)
    effects: str = ""
    notes: dict[str, Any] = field(default_factory=dict)

    body_limit: int = BODY_LIMIT
    """Bytes that a body may have when it is decompressed."""
    weight: int = 0
    """Bytes it takes in the ring; the ring keeps it up to date."""
    head: int = 0
    """Bytes that the head of the request takes."""
    kept: bool = False
    """It is in the ring."""

    @property
    def path(self) -> str:
        return redact_text(self.raw_path)

    @property
    def query(self) -> dict[str, str]:
        return redact_query(self.raw_query)

    @property
    def request_headers(self) -> dict[str, str]:
        return redact_headers(self.raw_request_headers)

    @property
    def response_headers(self) -> dict[str, str]:
        return redact_headers(self.raw_response_headers)

    @property
    def request_body(self) -> Any:
        """A JSON value, `{"text"}`, `{"base64"}`, `{"omitted": bytes}` or None."""
        encoding = self.raw_request_headers.get("content-encoding", "")
        kind, size = self.request_type, self.request_size
        return keep_body(self.raw_request, kind, size, encoding, self.body_limit)

    @property
    def response_body(self) -> Any:
        """Like `request_body`; a stream is `{"frames": [{"t_ms", "text"}]}`."""
        if self.frames:
            return keep_frames(self.frames)
        return keep_body(self.raw_response, self.response_type, self.response_size)

    def as_dict(self) -> dict[str, Any]:
        """A JSON object without secrets; the journal's wire form."""
        return {
            "number": self.number,
            "operation": self.operation,
            "method": self.method,
            "path": self.path,
            "query": self.query,
            "request_headers": self.request_headers,
            "request_type": self.request_type,
            "request_size": self.request_size,
            "request_body": self.request_body,
            "received_at": self.received_at,
            "tenant": self.tenant,
            "client": self.client,
            "answered_at": self.answered_at,
            "status": self.status,
            "response_headers": self.response_headers,
            "response_type": self.response_type,
            "response_size": self.response_size,
            "response_body": self.response_body,
            "verdict": self.verdict,
            "violations": redact(self.violations),
            "unknown_fields": self.unknown_fields,
            "effects": self.effects,
            "notes": self.notes,
        }

    @property
    def milliseconds(self) -> float:
        """From request to answer on the server's clock; 0 while open."""
        return ((self.answered_at or self.received_at) - self.received_at) * 1000

    def line(self) -> dict[str, Any]:
        """The entry at a glance: no headers and no bodies, so it costs nothing to make."""
        return {
            "number": self.number,
            "time": self.received_at,
            "client": self.client,
            "tenant": self.tenant,
            "operation": self.operation,
            "method": self.method,
            "path": self.path,
            "status": self.status,
            "milliseconds": round(self.milliseconds, 3),
            "request_size": self.request_size,
            "response_size": self.response_size,
            "verdict": self.verdict,
            "violations": redact(self.violations),
            "effects": self.effects,
        }

    def weighed(self) -> int:
        """The bytes that it takes now; the request's head is looked at once."""
        if not self.head:
            self.head = BASE + len(self.raw_path) + _pairs(self.raw_request_headers)
            if self.raw_query:
                self.head += _pairs({name: str(v) for name, v in self.raw_query.items()})
        size = self.head + len(self.raw_request) + len(self.raw_response)
        if self.raw_response_headers:
            size += _pairs(self.raw_response_headers)
        for _, chunk in self.frames:
            size += FRAME + len(chunk)
        if self.unknown_fields:
            size += sum(PAIR + len(name) for name in self.unknown_fields)
        for violation in self.violations:
            size += _size(violation)
        return size


def _pairs(headers: Mapping[str, str]) -> int:
    return PAIR * len(headers) + sum(map(len, headers)) + sum(map(len, headers.values()))


def _size(violation: Mapping[str, Any]) -> int:
    return sum(PAIR + len(str(value)) for value in violation.values())
