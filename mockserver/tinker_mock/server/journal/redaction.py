"""Secrets never leave the journal: not from headers, queries, paths, bodies or events."""

import hashlib
import re
from collections.abc import Mapping
from typing import Any

SECRET_NAME = re.compile(
    r"(?:^|[-_.])(?:authorization|cookie|credentials?|passw(?:or)?d|passphrase|secret|signature|jwt"
    r"|(?:access|auth|bearer|csrf|id|refresh|security|session)[-_]?token"
    r"|(?:api|access|private|auth|subscription|mock|client)[-_]?key)(?:$|[-_.])"
    r"|^cf-access-client-id$",
)
"""Names, in lower case, of headers, parameters and fields whose whole value is a secret."""
SECRET_PARAMETER = re.compile(r"(?:^|[-_.])(?:sig|token|key|auth)$")
"""The same, where a token is never a piece of text: headers and queries."""
KEY_IN_TEXT = re.compile(
    r"\b(?:tml-[A-Za-z0-9_\-]+|sk-[A-Za-z0-9_\-]{8,}|eyJ[\w-]+\.[\w-]+\.[\w-]*)"
)
SCHEME = re.compile(r"\b((?:[Bb]earer|BEARER)\s+|Basic\s+)([A-Za-z0-9+/=._~-]{6,})")
PAIR = re.compile(
    r"(authorization[\"']?\s*[=:]\s*[\"']?)(?!<redacted)([^\"'\r\n,;}]+)"
    r"|((?:api[-_]?key|x-goog-api-key|(?<![a-z])passw(?:or)?d|passphrase|signature|client_secret"
    r"|(?:access|auth|refresh)[-_]?token)[\"']?\s*[=:]\s*[\"']?)(?!<redacted)"
    r"((?<=[\"'])[^\"']+|[^&\s\"',;}<>]+)"
    r"|((?:\bsig|token)=)(?!<redacted)([^&\s\"',;}<>]+)",
    re.IGNORECASE,
)
HINTS = re.compile(r"tml-|sk-|eyJ|earer|EARER|Basic|[=:]")
"""Text without any of these has no secret that the patterns would find."""


def mark(secret: str) -> str:
    """A mark that still tells two secrets apart; nothing is no secret."""
    return secret and f"<redacted {hashlib.sha256(secret.encode()).hexdigest()[:8]}>"


def is_secret(name: str) -> bool:
    """Whether what has this name is a secret as a whole."""
    return SECRET_NAME.search(name.lower()) is not None


def _parameter(name: str, value: str) -> str:
    lowered = name.lower()
    secret = SECRET_NAME.search(lowered) or SECRET_PARAMETER.search(lowered)
    return mark(value) if secret else redact_text(value)


def redact_headers(headers: Mapping[str, str]) -> dict[str, str]:
    return {name: _parameter(name, value) for name, value in headers.items()}


def redact_query(query: Mapping[str, Any]) -> dict[str, str]:
    return {redact_text(name): _parameter(name, str(value)) for name, value in query.items()}


def redact_text(text: str) -> str:
    """Keys, tokens and passwords inside longer text (telemetry uploads whole requests)."""
    if not HINTS.search(text):
        return text
    text = KEY_IN_TEXT.sub(lambda found: mark(found[0]), text)
    text = SCHEME.sub(lambda found: f"{found[1]}<redacted>", text)
    return PAIR.sub(lambda found: f"{found[1] or found[3] or found[5]}<redacted>", text)


def redact(value: Any) -> Any:
    """A JSON value without secrets; the input is left alone."""
    if isinstance(value, dict):
        return {redact_text(str(key)): _field(key, inner) for key, inner in value.items()}
    if isinstance(value, list):
        # Token and tensor lists are long and hold no text: keep them as they are.
        if value and isinstance(value[0], int | float) and _plain(value):
            return value
        return [redact(inner) for inner in value]
    return redact_text(value) if isinstance(value, str) else value


def _plain(values: list[Any]) -> bool:
    """Numbers only. Reading types is much faster than rebuilding the list."""
    return {*map(type, values)} <= {int, float, bool, type(None)}


def _field(key: Any, value: Any) -> Any:
    return mark(value) if isinstance(value, str) and is_secret(str(key)) else redact(value)
