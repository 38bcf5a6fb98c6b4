"""Bodies as the journal keeps them: JSON where it is JSON, else base64 with its type."""

from __future__ import annotations

import base64
from typing import Any

import orjson

from mockserver.journal.redaction import redact, redact_text

BODY_LIMIT = 1024 * 1024


def keep_body(content: bytes, content_type: str) -> Any:
    """A redacted JSON value, `{"text": …}` or `{"base64": …}`; None for no body.

    Bodies above a megabyte are kept by their size only.
    """
    if not content:
        return None
    if len(content) > BODY_LIMIT:
        return {"omitted": len(content)}
    if "json" in content_type:
        try:
            return redact(orjson.loads(content))
        except orjson.JSONDecodeError:
            pass
    try:
        return {"text": redact_text(content.decode("utf-8"))}
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(content).decode("ascii")}


def restore_body(kept: Any) -> bytes:
    """The bytes of a kept body, for exports; redactions and omissions stay."""
    if kept is None or (isinstance(kept, dict) and set(kept) == {"omitted"}):
        return b""
    if isinstance(kept, dict) and set(kept) == {"text"} and isinstance(kept["text"], str):
        return kept["text"].encode()
    if isinstance(kept, dict) and set(kept) == {"base64"}:
        return base64.b64decode(kept["base64"])
    return orjson.dumps(kept)
