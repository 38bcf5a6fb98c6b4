"""Secrets in logs and reprs."""

from collections.abc import Mapping

REDACTED = "[REDACTED]"

SECRET_HEADERS = frozenset(
    {
        "x-api-key",
        "cf-access-client-secret",
        "authorization",
        "proxy-authorization",
        "x-tinker-weights-access-token",
    }
)


def mask_api_key(key: str | None) -> str:
    """Show enough of a key to recognise it: first six and last four characters at most."""
    if not key:
        return ""
    if len(key) <= 4:
        return "*" * len(key)
    return f"{key[: min(6, len(key) - 2)]}...{key[-4:]}"


def redact_headers(headers: Mapping[str, str]) -> dict[str, str]:
    """A copy that may be logged."""
    return {
        name: REDACTED if name.lower() in SECRET_HEADERS else value
        for name, value in headers.items()
    }
