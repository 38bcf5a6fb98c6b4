"""What is wrong with a request's head, whichever server read it."""

from collections.abc import Mapping
from typing import Any

from tinker_mock.server.errors import ServiceError

LARGEST = 16384
"""Bytes of address, names and values."""
BODY_ENDS = {b"content-length", b"transfer-encoding"}
BESIDE = 4
"""Bytes around a name and its value."""


class HeadTooLarge(ServiceError):
    """Address and headers are larger than the server takes."""

    status = 431
    kind = "too_large"


class Ambiguous(ServiceError):
    """Where the body ends depends on who reads the head."""

    status = 400
    kind = "bad_request"


def refused_head(scope: Mapping[str, Any]) -> ServiceError | None:
    """The refusal of a request with a head that is too large, or that a proxy in front of the
    server may read in another way (RFC 9112, 6.1)."""
    if {name for name, _ in scope["headers"]} >= BODY_ENDS:
        return Ambiguous(
            "head: Content-Length and Transfer-Encoding in one request",
            rule="one of them says where the body ends",
            fix="send a Content-Length alone",
            headers={"Connection": "close"},
        )
    return _too_large(scope)


def _too_large(scope: Mapping[str, Any]) -> ServiceError | None:
    size = len(scope.get("raw_path") or scope["path"]) + len(scope.get("query_string", b""))
    size += sum(len(name) + len(value) + BESIDE for name, value in scope["headers"])
    if size <= LARGEST:
        return None
    return HeadTooLarge(
        f"head: {size} bytes of address and headers",
        rule=f"at most {LARGEST} bytes",
        fix="send shorter headers, or what they say in the body",
    )
