"""What is wrong with a request's head, whichever server read it."""

from collections.abc import Mapping
from itertools import chain
from typing import Any

from tinker_mock.server.errors import ServiceError

LARGEST = 16384
"""Bytes of address, names and values."""
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


def refused_head(scope: Mapping[str, Any], headers: Mapping[str, str]) -> ServiceError | None:
    """The refusal of a request with a head that is too large, or that a proxy in front of the
    server may read in another way (RFC 9112, 6.1)."""
    if "transfer-encoding" in headers and "content-length" in headers:
        return Ambiguous(
            "head: Content-Length and Transfer-Encoding in one request",
            rule="one of them says where the body ends",
            fix="send a Content-Length alone",
            headers={"Connection": "close"},
        )
    fields = scope["headers"]
    size = len(scope.get("raw_path") or scope["path"]) + len(scope.get("query_string", b""))
    size += BESIDE * len(fields) + sum(map(len, chain.from_iterable(fields)))
    if size <= LARGEST:
        return None
    return HeadTooLarge(
        f"head: {size} bytes of address and headers",
        rule=f"at most {LARGEST} bytes",
        fix="send shorter headers, or what they say in the body",
    )
