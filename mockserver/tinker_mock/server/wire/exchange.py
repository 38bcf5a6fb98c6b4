"""One request with its answer, as everything on its way sees it. Data only."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, MutableMapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from tinker_mock.contracts import Operation, Violation
from tinker_mock.server.effects import Effect, Step
from tinker_mock.server.state.records import Tenant
from tinker_mock.server.wire.dialects import UNKNOWN, Dialect
from tinker_mock.server.wire.json_text import json_pieces

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Any, Receive, Send], Awaitable[None]]

JSON = "application/json"
PROTOBUF = "application/x-protobuf"
EVENT_STREAM = "text/event-stream"
WHOLE = "tinker_mock.whole"
"""Marks the start of an answer whose body follows at once: both may go out together."""
TEXTS = "tinker_mock.texts"
"""The headers of a scope as text, names in lower case, where whoever read them has them so."""
PIECE = 256 * 1024
"""Bytes that go out at a time."""
IN_THREAD = 256 * 1024
"""Bodies from this size on are read and judged in a thread: the event loop keeps answering."""


@dataclass
class Answer:
    """What goes back. Either `body` (a JSON value), `content` (bytes) or `stream` (chunks)."""

    status: int = 200
    body: Any = None
    content: bytes | None = None
    content_type: str = JSON
    headers: dict[str, str] = field(default_factory=dict)
    stream: AsyncIterator[bytes] | None = None
    plain: bool = False
    """`body` is made of what JSON has, but for numbers that are none (they are null there)."""

    def encoded(self) -> bytes:
        """The body's bytes; a stream has none in advance."""
        if self.content is None:
            self.content = b"" if self.body is None else orjson.dumps(self.body, option=OPTIONS)
        return self.content

    def encode_in_pieces(self) -> None:
        """As `encoded`, for a large body; in a thread."""
        if self.content is None:
            self.content = b"".join(json_pieces(self.body, OPTIONS))

    def start_message(self) -> Message:
        """The `http.response.start` message. 204 and 304 carry no body headers."""
        headers = [(name.lower().encode(), value.encode()) for name, value in self.headers.items()]
        if self.status not in (204, 304):
            headers.append((b"content-type", self.content_type.encode()))
            if self.stream is None:
                headers.append((b"content-length", str(len(self.encoded())).encode()))
        return {"type": "http.response.start", "status": self.status, "headers": headers}

    async def send(self, send: Send) -> None:
        """Write the whole answer to an ASGI `send`."""
        start = self.start_message()
        if self.stream is None and len(self.encoded()) <= PIECE:
            start[WHOLE] = True
        await send(start)
        if self.stream is not None:
            async for chunk in self.stream:
                await send({"type": "http.response.body", "body": chunk, "more_body": True})
            await send({"type": "http.response.body", "body": b"", "more_body": False})
            return
        content = self.encoded()
        for begin in range(0, len(content) or 1, PIECE):
            piece, more = content[begin : begin + PIECE], begin + PIECE < len(content)
            await send({"type": "http.response.body", "body": piece, "more_body": more})


OPTIONS = orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_NON_STR_KEYS


@dataclass
class Exchange:
    """A request on its way to its answer.

    `headers` have lower-case names. `body` is the decoded value in its JSON shape, whatever the
    content type was; `raw_body` and `raw_query` are the bytes as they came. `tenant`, `dialect`
    and `answer` are set by those who find them out.
    """

    method: str
    path: str
    headers: Mapping[str, str]
    dialect: Dialect = UNKNOWN
    query: dict[str, Any] = field(default_factory=dict)
    path_params: dict[str, str] = field(default_factory=dict)
    operation: Operation | None = None
    raw_query: bytes = b""
    raw_body: bytes = b""
    body: Any = None
    content_type: str = ""
    fingerprint: str = ""
    """Hash of what was asked, for operations that make a promise."""
    weight: int = 0
    """Bytes that the body takes in memory."""
    base_url: str = ""
    """The address the client used, with the prefix it came through."""
    tenant: Tenant | None = None
    answer: Answer | None = None
    request_violations: list[Violation] = field(default_factory=list)
    response_violations: list[Violation] = field(default_factory=list)
    unknown_fields: list[str] = field(default_factory=list)
    result_of: str = ""
    """The operation whose result the answer is, if it is one."""
    effects: Step = ()
    """What goes wrong with this exchange."""
    injected: bool = False
    """The answer is a fault's: nobody was asked."""
    masked: int | None = None
    """The status of the answer that a fault put another in front of."""
    frames: list[tuple[float, bytes]] = field(default_factory=list)
    """A streamed answer as it was sent: Unix seconds and bytes of each chunk."""
    client_gone: bool = False
    error: BaseException | None = None

    @property
    def bearer(self) -> str:
        """The token of `Authorization: Bearer …`, or nothing."""
        scheme, _, token = self.headers.get("authorization", "").partition(" ")
        return token.strip() if scheme.lower() == "bearer" else ""

    @property
    def credential(self) -> str:
        """The credential that was sent: X-API-Key, or a bearer token."""
        return self.headers.get("x-api-key", "").strip() or self.bearer

    @property
    def owner(self) -> Tenant:
        """The authenticated tenant; only for operations behind authentication."""
        if self.tenant is None:
            raise RuntimeError(f"{self.path} ran without authentication")
        return self.tenant

    def effect(self, kind: str) -> Effect | None:
        """The effect of this kind on this exchange, if there is one."""
        return next((effect for effect in self.effects if effect.kind == kind), None)
