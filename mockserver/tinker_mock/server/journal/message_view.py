"""Protobuf messages of the wire as JSON values, their packed arrays as numbers."""

import math
from typing import Any

import numpy as np

from tinker_mock.contracts.protobuf import messages
from tinker_mock.server.wire.protobuf_requests import DTYPES, widened

SHOWN = 512
"""Numbers of an array that are shown; what was left out is counted."""
LAYOUTS = {
    "tokens": "<i4",
    "token_ids": "<i4",
    "offsets": "<i8",
    "crow_indices": "<i8",
    "col_indices": "<i8",
    "logprobs": "<f4",
    "prompt_logprobs": "<f4",
}
"""How the bytes of a field with this name are laid out."""
TENSOR_BYTES = {"dense", "data", "values"}
"""Fields laid out as the `dtype` of their message, or of the one around it, says."""


def readable(name: str, content: bytes) -> Any:
    """The message `name` with these bytes, or what is wrong with them."""
    try:
        message = getattr(messages, name).FromString(content)
    except Exception as error:
        return {"broken": f"not a {name}: {error}"}
    return _value(message, dtype=None)


def _value(message: Any, dtype: int | None) -> dict[str, Any]:
    shown: dict[str, Any] = {}
    own = getattr(message, "dtype", None)
    dtype = own if isinstance(own, int) else dtype
    for field, value in message.ListFields():
        if field.message_type is not None and field.message_type.GetOptions().map_entry:
            shown[field.name] = {key: _scalar(field.name, value[key], dtype) for key in value}
        elif field.is_repeated:
            shown[field.name] = [_scalar(field.name, item, dtype) for item in value]
        else:
            shown[field.name] = _scalar(field.name, value, dtype)
    return shown


def _scalar(name: str, value: Any, dtype: int | None) -> Any:
    if isinstance(value, bytes):
        return _array(name, value, dtype)
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    return _value(value, dtype) if hasattr(value, "ListFields") else value


def _array(name: str, raw: bytes, dtype: int | None) -> Any:
    layout, coded = LAYOUTS.get(name), 0
    if name in TENSOR_BYTES and dtype in DTYPES:
        layout, coded = DTYPES[dtype][1], dtype
    if layout is None or len(raw) % np.dtype(layout).itemsize:
        return {"bytes": len(raw)}
    numbers = widened(np.frombuffer(raw, dtype=layout), coded)
    shown = [_finite(number) for number in numbers[:SHOWN].tolist()]
    left = numbers.size - len(shown)
    return [*shown, f"and {left} more"] if left else shown


def _finite(number: float) -> Any:
    return number if math.isfinite(number) else str(number)
