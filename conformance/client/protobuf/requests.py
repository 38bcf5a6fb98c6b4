"""Forward and forward_backward requests as protobuf.

Arrays travel as little-endian bytes: token ids int32, tensors float32 or int64, sparse indices
int64.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from contracts.protobuf import messages

from ..errors import invalid
from ..inputs.chunks import Chunk, DmelChunk, EncodedTextChunk, ImageChunk
from ..inputs.datum import Datum
from ..tensors.data import TensorData

_DTYPES = {"float32": messages.DTYPE_FLOAT32, "int64": messages.DTYPE_INT64}
_LITTLE_ENDIAN = {"float32": "<f4", "int64": "<i8"}


def forward_backward_request(
    data: Sequence[Datum],
    *,
    model_id: str,
    seq_id: int,
    loss_fn: str,
    loss_fn_config: Mapping[str, float | str] | None,
    forward_only: bool,
) -> bytes:
    """The serialized request. Raises `ValidationError` for what protobuf cannot carry."""
    message = messages.ForwardBackwardRequest(
        model_id=model_id, seq_id=seq_id, loss_fn=loss_fn, forward_only=forward_only
    )
    for name, value in (loss_fn_config or {}).items():
        if isinstance(value, str):
            message.loss_fn_config_v2[name].text = value
        else:
            message.loss_fn_config[name] = value
            message.loss_fn_config_v2[name].number = value
    for datum in data:
        _write_datum(message.data.add(), datum)
    return bytes(message.SerializeToString(deterministic=True))


def _write_datum(message: Any, datum: Datum) -> None:
    for chunk in datum.model_input.chunks:
        _write_chunk(message.model_input.add(), chunk)
    for name, tensor in datum.loss_fn_inputs.items():
        write_tensor(message.loss_fn_inputs[name], tensor)


def _write_chunk(message: Any, chunk: Chunk) -> None:
    if isinstance(chunk, EncodedTextChunk):
        message.encoded_text.tokens = np.asarray(chunk.tokens, dtype="<i4").tobytes()
    elif isinstance(chunk, ImageChunk):
        message.image.data = chunk.data
        message.image.format = chunk.format
        if chunk.expected_tokens is not None:
            message.image.expected_tokens = chunk.expected_tokens
    elif isinstance(chunk, DmelChunk):
        message.dmel.dmel = chunk.dmel
    else:
        raise invalid("an image asset pointer cannot be sent for training: send the image itself")


def write_tensor(message: Any, tensor: TensorData) -> None:
    """Fill a `Tensor` message, dense or sparse."""
    message.dtype = _DTYPES[tensor.dtype]
    if tensor.shape is not None:
        message.shape.extend(tensor.shape)
    values = np.asarray(tensor.data, dtype=_LITTLE_ENDIAN[tensor.dtype]).tobytes()
    if tensor.sparse_crow_indices is None:
        message.dense = values
        return
    message.sparse_csr.values = values
    message.sparse_csr.crow_indices = _indices(tensor.sparse_crow_indices)
    message.sparse_csr.col_indices = _indices(tensor.sparse_col_indices or ())


def _indices(values: Sequence[int]) -> bytes:
    return np.asarray(values, dtype="<i8").tobytes()
