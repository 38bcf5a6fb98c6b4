"""The size of a request's head, whichever server read it."""

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


def too_large(scope: Mapping[str, Any]) -> ServiceError | None:
    """The refusal of a request whose head is too large."""
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
