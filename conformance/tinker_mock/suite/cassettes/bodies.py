"""What a recorded request says, decoded: JSON, or protobuf with its tensors as numbers."""

import base64
from typing import Any

import numpy as np
import zstandard
from google.protobuf.message import DecodeError, Message

from tinker_mock.contracts.protobuf import messages
from tinker_mock.suite.cassettes.ids import json_of

PROTOBUF = "application/x-protobuf"
_STORED = {messages.DTYPE_FLOAT32: "<f4", messages.DTYPE_INT64: "<i8", messages.DTYPE_INT32: "<i4"}


def decoded(content: bytes, content_type: str, content_encoding: str = "") -> Any:
    """The body's value; `None` for an empty one, text for what is neither JSON nor protobuf."""
    if not content:
        return None
    if content_encoding == "zstd":
        content = zstandard.ZstdDecompressor().decompressobj().decompress(content)
    if content_type.startswith(PROTOBUF):
        return _training_pass(content)
    body = json_of(content)
    return content.decode("utf-8", "backslashreplace") if body is None else body


def _training_pass(content: bytes) -> Any:
    """The only requests in protobuf are forward and backward passes."""
    message = messages.ForwardBackwardRequest()
    try:
        message.ParseFromString(content)
    except DecodeError:
        return f"no ForwardBackwardRequest: {content[:40]!r}"
    return _fields(message)


def _fields(message: Message) -> dict[str, Any]:
    """Set fields by name; tensors and tokens as lists of numbers."""
    if message.DESCRIPTOR.name == "Tensor":
        return _tensor(message)
    found: dict[str, Any] = {}
    for field, value in message.ListFields():
        if field.message_type is not None and field.message_type.GetOptions().map_entry:
            found[field.name] = {name: _value(item) for name, item in value.items()}
        elif field.name == "tokens" and isinstance(value, bytes):
            found[field.name] = np.frombuffer(value, "<i4").tolist()
        elif field.is_repeated:
            found[field.name] = [_value(item) for item in value]
        else:
            found[field.name] = _value(value)
    return found


def _tensor(message: Any) -> dict[str, Any]:
    stored = _STORED.get(message.dtype, "u1")
    tensor: dict[str, Any] = {"dtype": stored, "shape": list(message.shape)}
    if message.HasField("sparse_csr"):
        sparse = message.sparse_csr
        tensor["values"] = np.frombuffer(sparse.values, stored).tolist()
        tensor["crow_indices"] = np.frombuffer(sparse.crow_indices, "<i8").tolist()
        tensor["col_indices"] = np.frombuffer(sparse.col_indices, "<i8").tolist()
    else:
        tensor["dense"] = np.frombuffer(message.dense, stored).tolist()
    return tensor


def _value(value: Any) -> Any:
    if isinstance(value, Message):
        return _fields(value)
    return base64.b64encode(value).decode() if isinstance(value, bytes) else value
