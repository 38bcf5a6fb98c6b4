"""A protobuf forward_backward body, in the JSON request's shape with arrays for lists."""

from typing import Any

import numpy as np

from tinker_mock.contracts.protobuf import messages
from tinker_mock.server.budget import checkpoint
from tinker_mock.server.errors import BadRequest
from tinker_mock.server.wire.protobuf_size import larger_than

DTYPES = {1: ("float32", "<f4"), 2: ("int64", "<i8"), 3: ("int64", "<i4"), 4: ("float32", "<u2")}
"""DType number -> JSON dtype and how its bytes are laid out; bfloat16 is a float32's upper half."""
BFLOAT16 = 4
FEW = 64 * 1024
"""Bytes that cannot become so many that it matters."""
MOST_ELEMENTS = 1 << 18


def decode_forward_backward(content: bytes) -> tuple[dict[str, Any], bytes]:
    """The request as a dict whose tokens and tensor data are numpy arrays, and canonical bytes.

    Raises BadRequest for bytes that are no message or hold no whole number of elements.
    """
    if len(content) > FEW and larger_than(
        MOST_ELEMENTS, content, messages.ForwardBackwardRequest.DESCRIPTOR
    ):
        raise BadRequest(
            f"body: more than {MOST_ELEMENTS} messages and numbers outside of tensors",
            rule=f"at most {MOST_ELEMENTS} of them",
            fix="send fewer datums at a time",
        )
    try:
        message = messages.ForwardBackwardRequest.FromString(content)
    except Exception as error:
        raise BadRequest(
            f"body: not a ForwardBackwardRequest message: {error}",
            rule="Content-Type application/x-protobuf carries a serialized ForwardBackwardRequest",
            fix="send the message's bytes unchanged, or JSON with Content-Type application/json",
        ) from error
    config: dict[str, float | str] = dict(message.loss_fn_config)
    for name, value in message.loss_fn_config_v2.items():
        config[name] = value.text if value.WhichOneof("value") == "text" else value.number
    body = {
        "forward_backward_input": {
            "data": [_datum(datum, place) for place, datum in enumerate(message.data)],
            "loss_fn": message.loss_fn,
            "loss_fn_config": config or None,
        },
        "model_id": message.model_id,
        "seq_id": message.seq_id,
        "forward_only": message.forward_only,
    }
    return body, message.SerializeToString(deterministic=True)


def _datum(datum: Any, place: int) -> dict[str, Any]:
    checkpoint()
    where = f"/forward_backward_input/data/{place}"
    chunks = [
        _chunk(chunk, f"{where}/model_input/chunks/{number}")
        for number, chunk in enumerate(datum.model_input)
    ]
    inputs = {
        name: _tensor(tensor, f"{where}/loss_fn_inputs/{name}")
        for name, tensor in datum.loss_fn_inputs.items()
    }
    return {"model_input": {"chunks": chunks}, "loss_fn_inputs": inputs}


def _chunk(chunk: Any, where: str) -> dict[str, Any]:
    kind = chunk.WhichOneof("chunk")
    if kind == "encoded_text":
        return {"type": kind, "tokens": _array(chunk.encoded_text.tokens, "<i4", f"{where}/tokens")}
    if kind == "image":
        expected = chunk.image.expected_tokens if chunk.image.HasField("expected_tokens") else None
        image = {"data": chunk.image.data, "format": chunk.image.format}
        return {"type": kind, **image, "expected_tokens": expected}
    if kind == "dmel":
        return {"type": kind, "dmel": chunk.dmel.dmel}
    raise BadRequest(
        f"{_dotted(where)}: the chunk is empty",
        pointer=where,
        rule="a chunk is encoded_text, image or dmel",
        fix="set one of the chunk's alternatives",
    )


def _tensor(tensor: Any, where: str) -> dict[str, Any]:
    if tensor.dtype not in DTYPES:
        raise BadRequest(
            f"{_dotted(where)}: dtype {tensor.dtype} is not supported",
            pointer=where,
            rule="dtype is FLOAT32, INT64, INT32 or BFLOAT16",
            fix="set the tensor's dtype",
        )
    name, layout = DTYPES[tensor.dtype]
    sparse = tensor.WhichOneof("encoding") == "sparse_csr"
    raw = tensor.sparse_csr.values if sparse else tensor.dense
    data = widened(_array(raw, layout, where), tensor.dtype)
    wire = {"data": data, "dtype": name, "shape": list(tensor.shape)}
    if sparse:
        wire["sparse_crow_indices"] = _array(tensor.sparse_csr.crow_indices, "<i8", where)
        wire["sparse_col_indices"] = _array(tensor.sparse_csr.col_indices, "<i8", where)
    return wire


def widened(numbers: Any, dtype: int) -> Any:
    """The float32 values of bfloat16's halves; numbers of any other dtype as they are."""
    return (numbers.astype(np.uint32) << 16).view(np.float32) if dtype == BFLOAT16 else numbers


def _array(raw: bytes, layout: str, where: str) -> Any:
    size = np.dtype(layout).itemsize
    if len(raw) % size:
        raise BadRequest(
            f"{_dotted(where)}: {len(raw)} bytes are no whole number of {size}-byte elements",
            pointer=where,
            rule=f"little-endian elements of {size} bytes",
            fix="send whole elements of the tensor's dtype",
        )
    return np.frombuffer(raw, dtype=layout)


def _dotted(where: str) -> str:
    return where.strip("/").replace("/", ".")
