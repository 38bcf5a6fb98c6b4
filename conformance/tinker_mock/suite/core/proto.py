"""Protobuf bodies in the shape of their JSON counterparts."""

import base64
from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import numpy as np
from google.protobuf.message import DecodeError

from tinker_mock.contracts.protobuf import messages
from tinker_mock.suite.core.verdict import Unmet

NUMPY = {1: "<f4", 2: "<i8", 3: "<i4", 4: "<u2"}
CODES = {"float32": (1, "<f4"), "int64": (2, "<i8")}


def encode_forward_backward(body: Mapping[str, Any], forward_only: bool = False) -> bytes:
    """ForwardBackwardRequest bytes of a JSON-shaped request."""
    work = body.get("forward_backward_input") or body["forward_input"]
    message = messages.ForwardBackwardRequest()
    message.model_id = body["model_id"]
    message.seq_id = body.get("seq_id") or 0
    message.loss_fn = work["loss_fn"]
    message.forward_only = forward_only
    for name, value in (work.get("loss_fn_config") or {}).items():
        if isinstance(value, str):
            message.loss_fn_config_v2[name].text = value
        else:
            message.loss_fn_config[name] = value
            message.loss_fn_config_v2[name].number = value
    for datum in work["data"]:
        encode_datum(message.data.add(), datum)
    return bytes(message.SerializeToString())


def encode_datum(message: Any, datum: Mapping[str, Any]) -> None:
    """Fill a Datum message: text chunks, dense and sparse tensors."""
    for chunk in datum["model_input"]["chunks"]:
        tokens = np.asarray(chunk["tokens"], "<i4").tobytes()
        message.model_input.add().encoded_text.tokens = tokens
    for name, tensor in datum["loss_fn_inputs"].items():
        code, kind = CODES[tensor["dtype"]]
        field = message.loss_fn_inputs[name]
        field.dtype = code
        values = np.asarray(tensor["data"], kind).tobytes()
        if "sparse_crow_indices" in tensor:
            field.sparse_csr.values = values
            rows, columns = tensor["sparse_crow_indices"], tensor["sparse_col_indices"]
            field.sparse_csr.crow_indices = np.asarray(rows, "<i8").tobytes()
            field.sparse_csr.col_indices = np.asarray(columns, "<i8").tobytes()
        else:
            field.dense = values
        field.shape.extend(tensor.get("shape") or [len(tensor["data"])])


def decode_forward_backward(content: bytes) -> dict[str, Any]:
    """The JSON shape of a ForwardBackwardRequest; empty if the bytes are none."""
    try:
        message = messages.ForwardBackwardRequest.FromString(content)
    except DecodeError:
        return {}
    data = []
    for datum in message.data:
        chunks = [decode_chunk(chunk) for chunk in datum.model_input]
        inputs = {name: decode_tensor(field) for name, field in datum.loss_fn_inputs.items()}
        one = {"model_input": {"chunks": chunks}, "loss_fn_inputs": inputs}
        for name in ("model_input_spans", "loss_fn_input_spans"):
            if spans := getattr(datum, name):
                one[name] = [decode_span(span) for span in spans]
        data.append(one)
    config = {name: decode_setting(value) for name, value in message.loss_fn_config_v2.items()}
    work: dict[str, Any] = {"data": data, "loss_fn": message.loss_fn}
    work["loss_fn_config"] = config or dict(message.loss_fn_config) or None
    body = {"model_id": message.model_id, "forward_backward_input": work}
    return {**body, "seq_id": message.seq_id, "forward_only": message.forward_only}


def decode_chunk(chunk: Any) -> dict[str, Any]:
    """The JSON shape of a piece of an input."""
    kind = chunk.WhichOneof("chunk")
    tokens = np.frombuffer(chunk.encoded_text.tokens, "<i4").tolist()
    count = chunk.image.expected_tokens if kind == "image" else 0
    found = {"type": kind, "tokens": tokens, "expected_tokens": count}
    if kind == "image":
        content = base64.b64encode(chunk.image.data).decode()
        return found | {"data": content, "format": chunk.image.format}
    return found | ({"dmel": base64.b64encode(chunk.dmel.dmel).decode()} if kind == "dmel" else {})


def decode_span(span: Any) -> dict[str, Any]:
    """The JSON shape of where tokens came from."""
    kind = span.WhichOneof("span") or "prompt_tokens"
    part = getattr(span, kind)
    where = {"sequence_id": part.sequence_id, "offset": part.offset, "length": part.length}
    return {"type": kind, **where}


def decode_setting(value: Any) -> float | str:
    """A setting of a loss: a number or a text."""
    return str(value.text) if value.HasField("text") else float(value.number)


def decode_tensor(field: Any) -> dict[str, Any]:
    """The JSON shape of a Tensor message."""
    kind = "int64" if field.dtype in (2, 3) else "float32"
    shape = list(field.shape)
    if field.HasField("sparse_csr"):
        csr = field.sparse_csr
        data = np.frombuffer(csr.values, NUMPY[field.dtype]).tolist()
        rows = np.frombuffer(csr.crow_indices, "<i8").tolist()
        columns = np.frombuffer(csr.col_indices, "<i8").tolist()
        indices = {"sparse_crow_indices": rows, "sparse_col_indices": columns}
        return {"data": data, "dtype": kind, "shape": shape, **indices}
    data = np.frombuffer(field.dense, NUMPY[field.dtype]).tolist()
    return {"data": data, "dtype": kind, "shape": shape or [len(data)]}


def decode_result(content: bytes, operation: str) -> dict[str, Any]:
    """A SampleResponse or ForwardBackwardOutput in its JSON shape; Unmet if it is neither."""
    try:
        if operation == "asample":
            return decode_sample(messages.SampleResponse.FromString(content))
        return decode_output(messages.ForwardBackwardOutput.FromString(content))
    except (DecodeError, ValueError, LookupError) as error:
        raise Unmet("the protobuf result decodes", "a valid message", str(error)) from error


def decode_sample(message: Any) -> dict[str, Any]:
    """The JSON shape of a SampleResponse."""
    sequences = []
    for sequence in message.sequences:
        tokens = np.frombuffer(sequence.tokens, "<i4").tolist()
        logprobs = np.frombuffer(sequence.logprobs, "<f4").tolist()
        reason = ("stop", "length")[sequence.stop_reason]
        one = {"stop_reason": reason, "tokens": tokens, "logprobs": logprobs or None}
        if sequence.HasField("topk_sampled_logprobs"):
            one["topk_logprobs"] = decode_topk(sequence.topk_sampled_logprobs)
        sequences.append(one)
    result: dict[str, Any] = {"type": "sample", "sequences": sequences}
    if message.HasField("prompt_logprobs"):
        values = np.frombuffer(message.prompt_logprobs, "<f4").tolist()
        result["prompt_logprobs"] = [None if value != value else value for value in values]
    if message.HasField("topk_prompt_logprobs"):
        result["topk_prompt_logprobs"] = decode_topk(message.topk_prompt_logprobs)
    result["prompt_cache_hit_tokens"] = message.prompt_cache_hit_tokens
    if message.HasField("target_prompt_logprobs"):
        result["target_prompt_logprobs"] = decode_tensor(message.target_prompt_logprobs)
    if message.HasField("prompt_alt_tokens"):
        drawn = message.prompt_alt_tokens
        both = {"tokens": drawn.tokens, "logprobs": drawn.logprobs}
        result["prompt_alt_tokens"] = {name: decode_tensor(one) for name, one in both.items()}
    return result


def decode_topk(message: Any) -> list[list[tuple[int, float]] | None]:
    """Rows of (token, log-probability); an empty row is None."""
    shape = (message.length, message.k)
    tokens = np.frombuffer(message.token_ids, "<i4").reshape(shape).tolist()
    values = np.frombuffer(message.logprobs, "<f4").reshape(shape).tolist()
    rows = [
        [(t, v) for t, v in zip(*row, strict=True) if v > -99999.0]
        for row in zip(tokens, values, strict=True)
    ]
    return [row or None for row in rows]


def decode_output(message: Any) -> dict[str, Any]:
    """The JSON shape of a ForwardBackwardOutput."""
    outputs: list[dict[str, Any]] = []
    for record in message.loss_fn_outputs:
        columns = {name: decode_batch(batch) for name, batch in record.fields.items()}
        count = record.num_datums or max((len(rows) for rows in columns.values()), default=0)
        outputs += [{name: rows[index] for name, rows in columns.items()} for index in range(count)]
    return {
        "loss_fn_output_type": message.loss_fn_output_type,
        "loss_fn_outputs": outputs,
        "metrics": dict(message.metrics),
    }


def decode_batch(batch: Any) -> list[dict[str, Any]]:
    """Each datum's tensor of one field."""
    ends = np.frombuffer(batch.offsets, "<i8").tolist()
    rows = []
    for start, end in pairwise(ends):
        raw = np.frombuffer(batch.data[start:end], NUMPY[batch.dtype])
        if batch.dtype == 4:
            raw = (raw.astype("<u4") << 16).view("<f4")
        trailing = list(batch.trailing_shape)
        shape = [raw.size // int(np.prod(trailing, initial=1)), *trailing]
        kind = "int64" if batch.dtype in (2, 3) else "float32"
        rows.append({"data": raw.tolist(), "dtype": kind, "shape": shape})
    return rows
