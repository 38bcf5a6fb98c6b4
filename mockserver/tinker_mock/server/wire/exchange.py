"""One request with its answer, as every stage of the pipeline sees it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, MutableMapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import orjson

if TYPE_CHECKING:
    from tinker_mock.contracts import Operation, Violation
    from tinker_mock.server.clock import Clock
    from tinker_mock.server.simulator import Simulator
    from tinker_mock.server.state.records import Tenant
    from tinker_mock.server.wire.dialects import Dialect

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

JSON = "application/json"
PROTOBUF = "application/x-protobuf"
EVENT_STREAM = "text/event-stream"


@dataclass
class Answer:
    """What goes back. Either `body` (a JSON value), `content` (bytes) or `stream` (chunks)."""

    status: int = 200
    body: Any = None
    content: bytes | None = None
    content_type: str = JSON
    headers: dict[str, str] = field(default_factory=dict)
    stream: AsyncIterator[bytes] | None = None

    def encoded(self) -> bytes:
        """The body's bytes; a stream has none in advance."""
        if self.content is None:
            self.content = b"" if self.body is None else orjson.dumps(self.body, option=OPTIONS)
        return self.content

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
        await send(self.start_message())
        if self.stream is not None:
            async for chunk in self.stream:
                await send({"type": "http.response.body", "body": chunk, "more_body": True})
            await send({"type": "http.response.body", "body": b"", "more_body": False})
            return
        await send({"type": "http.response.body", "body": self.encoded(), "more_body": False})


OPTIONS = orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_NON_STR_KEYS


@dataclass
class Exchange:
    """A request on its way through the pipeline.

    `headers` have lower-case names. `body` is the decoded value in its JSON shape, whatever the
    content type was; `raw_body` the bytes as they came. `tenant`, `dialect` and `answer` are set
    by the stages that find them out. `notes` is free for stages to leave words in the journal.
    """

    simulator: Simulator
    method: str
    path: str
    headers: Mapping[str, str]
    query: dict[str, Any] = field(default_factory=dict)
    path_params: dict[str, str] = field(default_factory=dict)
    operation: Operation | None = None
    raw_body: bytes = b""
    body: Any = None
    content_type: str = ""
    fingerprint: str = ""
    """Hash of what was asked, for operations that make a promise."""
    tenant: Tenant | None = None
    dialect: Dialect | None = None
    client: tuple[str, int] | None = None
    scope: Mapping[str, Any] = field(default_factory=dict)
    received_at: float = 0.0
    answered_at: float = 0.0
    answer: Answer | None = None
    request_violations: list[Violation] = field(default_factory=list)
    response_violations: list[Violation] = field(default_factory=list)
    unknown_fields: list[str] = field(default_factory=list)
    client_gone: bool = False
    error: BaseException | None = None
    notes: dict[str, Any] = field(default_factory=dict)

    @property
    def clock(self) -> Clock:
        """The server's clock."""
        return self.simulator.clock

    @property
    def base_url(self) -> str:
        """The address the client used, with the prefix it came through."""
        host = self.headers.get("host", "127.0.0.1")
        scheme, prefix = self.scope.get("scheme", "http"), self.scope.get("root_path", "")
        return self.simulator.settings.base_url or f"{scheme}://{host}{prefix}"

    @property
    def owner(self) -> Tenant:
        """The authenticated tenant; only for operations behind authentication."""
        if self.tenant is None:
            raise RuntimeError(f"{self.path} ran without authentication")
        return self.tenant
