"""Forward and forward_backward requests as protobuf, and results from it.

Arrays travel as little-endian bytes: token ids int32, tensors float32 or int64, sparse indices
int64; results may also hold bfloat16.
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from math import prod
from typing import Any

import numpy as np
from google.protobuf.message import DecodeError
from numpy.typing import NDArray

from tinker_mock.client.errors import Category, ValidationError, invalid
from tinker_mock.client.types.chunks import Chunk, DmelChunk, EncodedTextChunk, ImageChunk
from tinker_mock.client.types.datum import Datum
from tinker_mock.client.types.provenance import ProvenanceSpan, SampledProvenanceSpan
from tinker_mock.client.types.results import (
    ForwardBackwardOutput,
    PromptAltTokens,
    SampledSequence,
    SampleResponse,
    StopReason,
    TopK,
)
from tinker_mock.client.types.tensors import TensorData, WireDtype
from tinker_mock.contracts.protobuf import messages

_STOP_REASONS: dict[int, StopReason] = {
    messages.STOP_REASON_STOP: "stop",
    messages.STOP_REASON_LENGTH: "length",
}

_DTYPES = {"float32": messages.DTYPE_FLOAT32, "int64": messages.DTYPE_INT64}
_LITTLE_ENDIAN = {"float32": "<f4", "int64": "<i8"}

_STORED: dict[int, str] = {
    messages.DTYPE_FLOAT32: "<f4",
    messages.DTYPE_INT64: "<i8",
    messages.DTYPE_INT32: "<i4",
    messages.DTYPE_BFLOAT16: "<u2",
}

_EMPTY_CELL = -99999.0  # pads rows of fewer than k candidates


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


def forward_backward_output(content: bytes) -> ForwardBackwardOutput:
    """Decode a `ForwardBackwardOutput`: one dict of tensors per datum. Raises `ValidationError`."""
    message = _parse(messages.ForwardBackwardOutput, content)
    return ForwardBackwardOutput(
        message.loss_fn_output_type.rpartition(":")[2],
        [output for record in message.loss_fn_outputs for output in _outputs(record)],
        dict(message.metrics),
    )


def sample_response(content: bytes) -> SampleResponse:
    """Decode a `SampleResponse`. Raises `ValidationError`."""
    message = _parse(messages.SampleResponse, content)
    prompt = _floats(message.prompt_logprobs) if message.prompt_logprobs else None
    return SampleResponse(
        [_sequence(sequence) for sequence in message.sequences],
        None if prompt is None else [None if np.isnan(x) else float(x) for x in prompt],
        _top_k(message.topk_prompt_logprobs) if message.HasField("topk_prompt_logprobs") else None,
        message.prompt_cache_hit_tokens,
        read_tensor(message.target_prompt_logprobs)
        if message.HasField("target_prompt_logprobs")
        else None,
        PromptAltTokens(
            read_tensor(message.prompt_alt_tokens.tokens).to_numpy(),
            read_tensor(message.prompt_alt_tokens.logprobs).to_numpy(),
        )
        if message.HasField("prompt_alt_tokens")
        else None,
    )


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


def read_tensor(message: Any) -> TensorData:
    """A `Tensor` message; sparse stays sparse."""
    shape = list(message.shape)
    if not message.HasField("sparse_csr"):
        values, dtype = _values(message.dense, message.dtype)
        return TensorData(values.tolist(), dtype, shape)
    sparse = message.sparse_csr
    values, dtype = _values(sparse.values, message.dtype)
    crow = np.frombuffer(sparse.crow_indices, "<i8").tolist()
    columns = np.frombuffer(sparse.col_indices, "<i8").tolist()
    return TensorData(values.tolist(), dtype, shape, crow, columns)


def _write_datum(message: Any, datum: Datum) -> None:
    for chunk in datum.model_input.chunks:
        _write_chunk(message.model_input.add(), chunk)
    for name, tensor in datum.loss_fn_inputs.items():
        write_tensor(message.loss_fn_inputs[name], tensor)
    for span in datum.model_input_spans or ():
        _write_span(message.model_input_spans.add(), span)
    for span in datum.loss_fn_input_spans or ():
        _write_span(message.loss_fn_input_spans.add(), span)


def _write_span(message: Any, span: ProvenanceSpan) -> None:
    sampled = isinstance(span, SampledProvenanceSpan)
    part = message.sampled_tokens if sampled else message.prompt_tokens
    part.sequence_id, part.offset, part.length = span.sequence_id, span.offset, span.length


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


def _indices(values: Sequence[int]) -> bytes:
    return np.asarray(values, dtype="<i8").tobytes()


def _parse(message_type: Any, content: bytes) -> Any:
    message = message_type()
    try:
        message.ParseFromString(content)
    except DecodeError as error:
        raise _bad(f"not a {message_type.DESCRIPTOR.name}: {error}") from error
    return message


def _outputs(record: Any) -> Iterator[dict[str, TensorData]]:
    columns = {name: list(_rows(tensor)) for name, tensor in record.fields.items()}
    lengths = {len(rows) for rows in columns.values()}
    if len(lengths) > 1:
        raise _bad(f"an ArrayRecord's fields must have one entry per datum, got {lengths}")
    for index in range(lengths.pop() if lengths else 0):
        yield {name: rows[index] for name, rows in columns.items()}


def _rows(batched: Any) -> Iterator[TensorData]:
    """Cut one batched tensor at its byte offsets; the first dimension follows from the size."""
    itemsize = np.dtype(_stored(batched.dtype)).itemsize
    values, dtype = _values(batched.data, batched.dtype)
    offsets = np.frombuffer(batched.offsets, "<i8") // itemsize
    trailing = list(batched.trailing_shape)
    for start, end in pairwise(offsets):
        row = values[start:end]
        yield TensorData(row.tolist(), dtype, [_leading(row.size, trailing), *trailing])


def _leading(size: int, trailing: Sequence[int]) -> int:
    width = prod(trailing)
    return size // width if width else 0


def _values(content: bytes, kind: int) -> tuple[NDArray[Any], WireDtype]:
    values = np.frombuffer(content, _stored(kind))
    if kind == messages.DTYPE_BFLOAT16:  # the upper half of a float32
        return (values.astype(np.uint32) << 16).view(np.float32), "float32"
    if kind == messages.DTYPE_FLOAT32:
        return values, "float32"
    return values.astype(np.int64), "int64"


def _stored(kind: int) -> str:
    try:
        return _STORED[kind]
    except KeyError:
        raise _bad(f"unknown tensor dtype {kind}") from None


def _sequence(message: Any) -> SampledSequence:
    if message.stop_reason not in _STOP_REASONS:
        raise _bad(f"unknown stop_reason {message.stop_reason}")
    has_top_k = message.HasField("topk_sampled_logprobs")
    return SampledSequence(
        np.frombuffer(message.tokens, "<i4").tolist(),
        _floats(message.logprobs).tolist() if message.logprobs else None,
        _STOP_REASONS[message.stop_reason],
        _top_k(message.topk_sampled_logprobs) if has_top_k else None,
    )


def _top_k(message: Any) -> TopK | None:
    if message.length == 0 or message.k == 0:
        return None
    ids = np.frombuffer(message.token_ids, "<i4").reshape(message.length, message.k)
    logprobs = _floats(message.logprobs).reshape(message.length, message.k)
    rows: list[list[tuple[int, float]] | None] = []
    for row_ids, row_logprobs in zip(ids.tolist(), logprobs.tolist(), strict=True):
        cells = [
            (token, logprob)
            for token, logprob in zip(row_ids, row_logprobs, strict=True)
            if logprob > _EMPTY_CELL
        ]
        rows.append(cells or None)
    return rows


def _floats(content: bytes) -> NDArray[np.float32]:
    return np.frombuffer(content, "<f4").astype(np.float32)


def _bad(message: str) -> ValidationError:
    return ValidationError(message, category=Category.SERVER)
