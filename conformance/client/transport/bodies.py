"""Request bodies: what is sent for values that were left out."""

from collections.abc import Mapping
from enum import Enum
from typing import Any

import orjson

from ..files.multipart import encode_multipart
from ..files.reading import FileTypes


class _Absent(Enum):
    NOT_GIVEN = "NOT_GIVEN"
    OMIT = "OMIT"

    def __repr__(self) -> str:
        return self.value


NOT_GIVEN = _Absent.NOT_GIVEN
"""The caller did not say: the field is not sent."""
OMIT = _Absent.OMIT
"""The caller wants the field left out, even if there is a default."""


def prepare_body(value: Any, *, drop_nulls: bool = False) -> Any:
    """Drop absent values at every depth, and nulls too if asked; keys become strings.

    False, zero and the empty string are values and stay. List items are never dropped.
    """
    if isinstance(value, Mapping):
        return {
            str(key): prepare_body(item, drop_nulls=drop_nulls)
            for key, item in value.items()
            if not isinstance(item, _Absent) and not (drop_nulls and item is None)
        }
    if isinstance(value, (list, tuple)):
        if value and isinstance(value[0], (int, float)):
            return value
        return [prepare_body(item, drop_nulls=drop_nulls) for item in value]
    return value


def encode_body(
    body: Any, files: Mapping[str, FileTypes] | None = None, *, boundary: str | None = None
) -> tuple[bytes, str]:
    """Bytes and content type: JSON, or a multipart form when there are files."""
    if files:
        return encode_multipart(prepare_body(body or {}), files, boundary=boundary)
    return orjson.dumps(prepare_body(body)), "application/json"
