"""Bodies as the journal keeps them: JSON where it is JSON, else base64 with its type."""

import base64
from typing import Any

import orjson

from tinker_mock.server.errors import ServiceError
from tinker_mock.server.journal.redaction import redact, redact_text
from tinker_mock.server.wire.decompression import decompressed, encoding_of
from tinker_mock.server.wire.nesting import too_deep

BODY_LIMIT = 1024 * 1024
BINARY = ("application/x-protobuf", "application/octet-stream")
"""What is no text, even where its bytes happen to be UTF-8."""


def kept(content: bytes, limit: int = BODY_LIMIT) -> bytes:
    """What of a body stays in memory: nothing of one above the limit."""
    return content if len(content) <= limit else b""


def keep_body(
    content: bytes, content_type: str, size: int, encoding: str = "", limit: int = BODY_LIMIT
) -> Any:
    """A redacted JSON value, `{"text": …}` or `{"base64": …}`; None for no body.

    Bodies above the limit, before or after they are decompressed, are told by their size only.
    """
    try:
        content = plain(content, encoding, limit)
    except OverflowError:
        content = b""
    if not content:
        return {"omitted": size} if size else None
    if "json" in content_type and not too_deep(content):
        try:
            return redact(orjson.loads(content))
        except orjson.JSONDecodeError:
            pass
    if content_type.partition(";")[0].strip() in BINARY:
        return {"base64": base64.b64encode(content).decode("ascii")}
    try:
        return {"text": redact_text(content.decode("utf-8"))}
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(content).decode("ascii")}


def plain(content: bytes, encoding: str, limit: int = BODY_LIMIT) -> bytes:
    """The body decompressed, or as it is where that cannot be done. Raises OverflowError beyond
    the limit."""

    def hold(_: int, size: int) -> None:
        if size > limit:
            raise OverflowError

    try:
        coding = encoding_of(encoding) if content else ""
        return decompressed(content, coding, hold) if coding else content
    except ServiceError:
        return content


def keep_frames(frames: list[tuple[float, bytes]]) -> dict[str, Any]:
    """A stream's chunks as text, with milliseconds since the first."""
    start = frames[0][0]
    return {
        "frames": [
            {
                "t_ms": round((at - start) * 1000, 3),
                "text": redact_text(chunk.decode("utf-8", "replace")),
            }
            for at, chunk in frames
        ]
    }


def restore_body(body: Any) -> bytes:
    """The bytes of such a body, for exports; redactions and omissions stay."""
    if body is None or (isinstance(body, dict) and set(body) == {"omitted"}):
        return b""
    if isinstance(body, dict) and set(body) == {"text"} and isinstance(body["text"], str):
        return body["text"].encode()
    if isinstance(body, dict) and set(body) == {"frames"}:
        return "".join(frame["text"] for frame in body["frames"]).encode()
    if isinstance(body, dict) and set(body) == {"base64"}:
        return base64.b64decode(body["base64"])
    return orjson.dumps(body)
