"""What the httpx transport and the ASGI middleware share: which exchanges, which headers."""

from collections.abc import Mapping
from typing import Any

from tinker_mock.kimi import json_text
from tinker_mock.kimi.registry import Transformer
from tinker_mock.kimi.streams import EVENT_STREAM

CHAT_PATH = "/chat/completions"
HEADERS_OF_OLD_BODY = frozenset({"content-length", "content-encoding", "transfer-encoding"})


def is_chat(method: str, path: str) -> bool:
    """A request the transformer is for."""
    return method == "POST" and path.rstrip("/").endswith(CHAT_PATH)


def parsed_request(body: bytes) -> dict[str, Any] | None:
    """The request's JSON object; None for anything else, which passes untouched."""
    try:
        value = json_text.read(body)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None


def transformed_request(transformer: Transformer, request: dict[str, Any]) -> bytes:
    """The request's bytes for the provider. Raises `ToolMessageError`."""
    return json_text.write(transformer.request_in(request))


def transformed_answer(transformer: Transformer, body: bytes, request: Mapping[str, Any]) -> bytes:
    """A whole answer's bytes; one that is not JSON is passed on as it came."""
    try:
        parsed = json_text.read(body)
    except ValueError:
        return body
    changed = transformer.response(parsed, request)
    return body if changed == parsed else json_text.write(changed)


def new_headers(
    headers: list[tuple[bytes, bytes]], length: int | None
) -> list[tuple[bytes, bytes]]:
    """The answer's headers for a rewritten body; a stream (no length) is always SSE."""
    dropped = HEADERS_OF_OLD_BODY | ({"content-type"} if length is None else set())
    kept = [(k, v) for k, v in headers if k.decode("latin-1").lower() not in dropped]
    if length is None:
        return [*kept, (b"content-type", EVENT_STREAM.encode())]
    return [*kept, (b"content-length", str(length).encode())]
