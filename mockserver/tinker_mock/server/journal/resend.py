"""A kept request, sent through an ASGI app once more."""

import asyncio
from typing import Any
from urllib.parse import urlencode

from tinker_mock.server.journal.entry import Entry
from tinker_mock.server.wire.exchange import App

NOT_AGAIN = {"content-length", "transfer-encoding"}
"""Said anew: the body is sent in one piece."""


async def sent_again(app: App, entry: Entry) -> tuple[int | None, bytes]:
    """Status and body of the answer; no status where a fault cut it off."""
    status: int | None = None
    pieces: list[bytes] = []
    waiting = [{"type": "http.request", "body": entry.raw_request, "more_body": False}]

    async def receive() -> Any:
        if not waiting:
            await asyncio.Event().wait()  # whoever sends it again stays for the answer
        return waiting.pop()

    async def send(message: Any) -> None:
        nonlocal status
        status = message.get("status", status)
        pieces.append(message.get("body", b""))

    headers = [
        (name.encode("latin-1"), value.encode("latin-1"))
        for name, value in entry.raw_request_headers.items()
        if name not in NOT_AGAIN
    ]
    length = (b"content-length", str(len(entry.raw_request)).encode())
    scope = {
        "type": "http",
        "http_version": "1.1",
        "method": entry.method,
        "scheme": "http",
        "path": entry.raw_path,
        "raw_path": entry.raw_path.encode(),
        "root_path": "",
        "query_string": urlencode(entry.raw_query).encode(),
        "headers": [*headers, length],
        "client": ("127.0.0.1", 0),
        "server": ("127.0.0.1", 0),
    }
    await app(scope, receive, send)
    return status, b"".join(pieces)
