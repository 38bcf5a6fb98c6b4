"""From a status and a body to a value or an error."""

from collections.abc import Mapping
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Any

import orjson

from tinker_mock.client.config.presets import PYTHON_LATEST, Preset
from tinker_mock.client.errors import ApiStatusError, Category, error_class
from tinker_mock.client.http.call import Reply
from tinker_mock.client.http.retry import retry_after_ms

REDIRECTS = (301, 302, 303, 307, 308)
DEFAULT_RETRY_AFTER_MS = 1000


def status_error(
    status: int, headers: Mapping[str, str], content: bytes, *, preset: Preset = PYTHON_LATEST
) -> ApiStatusError:
    """The error for an answer of 400 and above.

    The category is the body's if it names one, else user for 4xx and server for the rest; 429 is
    always the server's, and so are 408 and 410 unless the preset's client blames the user.
    """
    body = _body(content)
    return error_class(status)(
        _message(status, body),
        category=_category(status, body, preset),
        status=status,
        data={**body, "headers": dict(headers)},
        retry_after_ms=retry_after_ms(headers, default=DEFAULT_RETRY_AFTER_MS),
    )


def redirect_target(reply: Reply) -> dict[str, Any]:
    """Where a redirect points: `{url, status, expires}`."""
    location = reply.headers.get("location")
    if not location:
        raise ApiStatusError(
            "Redirect without Location header", category=Category.SERVER, status=reply.status
        )
    return {"url": location, "status": reply.status, "expires": reply.headers.get("expires")}


def http_date(text: str | None) -> datetime | str | None:
    """A header's time; a text that is none stays as it is."""
    if text is None:
        return None
    for read in (parsedate_to_datetime, datetime.fromisoformat):
        try:
            return read(text)
        except ValueError:
            continue
    return text


def _body(content: bytes) -> dict[str, Any]:
    try:
        body = orjson.loads(content)
    except orjson.JSONDecodeError:
        text = content.decode("utf-8", "replace").strip()
        return {"message": text} if text else {}
    return body if isinstance(body, dict) else {"detail": body}


def _message(status: int, body: Mapping[str, Any]) -> str:
    for key in ("message", "error", "detail"):
        value = body.get(key)
        if isinstance(value, Mapping):
            value = value.get("message")
        if value:
            return str(value)
    return "Rate limited" if status == 429 else f"HTTP {status}"


def _category(status: int, body: Mapping[str, Any], preset: Preset) -> Category:
    if status == 429:
        return Category.SERVER
    named = body.get("category")
    if named is None and isinstance(body.get("error"), Mapping):
        named = body["error"].get("category")
    if named is not None:
        return Category.parse(named)
    if status in (408, 410):
        return Category(preset.unnamed_timeout_blames)
    if status >= 500:
        return Category.SERVER
    return Category.USER if 400 <= status < 500 else Category.UNKNOWN
