"""One exchange as the journal keeps it."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass
class Entry:
    """Times are Unix seconds of the server's clock; bodies are JSON values or base64 of bytes.

    `verdict` is `ok`, `request` (the client broke the contract), `response` (the mock did),
    `refused` (a proper request for what cannot be had), `fault` (an effect was applied) or
    `gone` (the client left before the answer).
    """

    number: int
    operation: str | None
    method: str
    path: str
    query: dict[str, Any]
    request_headers: dict[str, str]
    request_body: Any
    received_at: float
    request_type: str = ""
    request_size: int = 0
    tenant: str = ""
    client: str = ""
    answered_at: float | None = None
    status: int | None = None
    response_headers: dict[str, str] = field(default_factory=dict)
    response_body: Any = None
    response_type: str = ""
    response_size: int = 0
    verdict: str = "open"
    violations: list[dict[str, Any]] = field(default_factory=list)
    unknown_fields: list[str] = field(default_factory=list)
    effects: str = ""
    notes: dict[str, Any] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """A JSON object; the journal's wire form."""
        return asdict(self)

    @property
    def weight(self) -> int:
        """Bytes this entry roughly occupies."""
        return 1024 + self.request_size + self.response_size
