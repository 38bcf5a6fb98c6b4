"""Secrets never reach the journal."""

import hashlib
import re
from collections.abc import Mapping
from typing import Any

SECRET_HEADERS = frozenset(
    {
        "authorization",
        "cf-access-client-id",
        "cf-access-client-secret",
        "cookie",
        "set-cookie",
        "x-api-key",
        "x-tinker-weights-access-token",
        "x-tinker-mock-key",
    }
)
SECRET_FIELDS = frozenset({"api_key", "jwt", "weights_access_token", "access_token", "x-api-key"})
KEY_IN_TEXT = re.compile(r"\b(tml-[A-Za-z0-9_\-]+|eyJ[\w-]+\.[\w-]+\.[\w-]*)")
SIGNATURE = re.compile(r"((?:signature|sig|token)=)[^&\s\"]+")


def mark(secret: str) -> str:
    """A mark that still tells two secrets apart."""
    return f"<redacted {hashlib.sha256(secret.encode()).hexdigest()[:8]}>"


def redact_headers(headers: Mapping[str, str]) -> dict[str, str]:
    return {
        name: mark(value) if name.lower() in SECRET_HEADERS else redact_text(value)
        for name, value in headers.items()
    }


def redact_text(text: str) -> str:
    """Keys and tokens inside longer text (telemetry uploads whole request headers)."""
    if "tml-" in text or "eyJ" in text:
        text = KEY_IN_TEXT.sub(lambda found: mark(found[0]), text)
    if "=" not in text:
        return text
    return SIGNATURE.sub(lambda found: f"{found[1]}<redacted>", text)


def redact(value: Any) -> Any:
    """A JSON value without secrets; the input is left alone."""
    if isinstance(value, dict):
        return {key: _field(key, inner) for key, inner in value.items()}
    if isinstance(value, list):
        # Token and tensor lists are long and hold no text: keep them as they are.
        if value and isinstance(value[0], int | float):
            return value
        return [redact(inner) for inner in value]
    return redact_text(value) if isinstance(value, str) else value


def _field(key: Any, value: Any) -> Any:
    secret = isinstance(value, str) and str(key).lower() in SECRET_FIELDS
    return mark(value) if secret else redact(value)
