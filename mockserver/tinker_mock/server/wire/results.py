"""What an operation resolved to, encoded for the client that asks: JSON or protobuf."""

import math
from typing import Any

import numpy as np

from tinker_mock.contracts.protobuf import messages
from tinker_mock.server.engine import LossResult, SampleResult, TopK
from tinker_mock.server.wire.dialects import Dialect
from tinker_mock.server.wire.exchange import JSON, PROTOBUF, Answer

DTYPE_FLOAT32, DTYPE_INT64 = 1, 2
STOP, LENGTH = 0, 1
INTEGERS = "iu"
"""Kinds of numpy's dtypes."""


def encode_result(result: Any, accept: str, dialect: Dialect) -> Answer:
    """The answer that carries a result; protobuf where the client takes it and a message exists.

    A client that takes nothing but protobuf gets it, whatever its release.
    """
    if PROTOBUF in accept:
        message = _message(result, dialect, only=JSON not in accept)
        if message is not None:
            content = message.SerializeToString(deterministic=True)
            return Answer(content=content, content_type=PROTOBUF)
    plain = isinstance(result, LossResult | SampleResult)
    return Answer(body=json_result(result), content_type=JSON, plain=plain)


def _message(result: Any, dialect: Dialect, only: bool) -> Any:
    if isinstance(result, SampleResult) and (only or dialect.understands("protobuf_samples")):
        return sample_message(result)
    if isinstance(result, LossResult) and (only or dialect.understands("protobuf_losses")):
        message = loss_message(result)
        if only or len(message.loss_fn_outputs) < 2 or dialect.understands("ragged_records"):
            return message
    return None


def json_result(result: Any) -> dict[str, Any]:
    """A result in its JSON shape."""
    if isinstance(result, SampleResult):
        return _json_sample(result)
    if isinstance(result, LossResult):
        return {
            "loss_fn_output_type": result.output_type,
            "loss_fn_outputs": [
                {name: _json_tensor(array) for name, array in output.items()}
                for output in result.outputs
            ],
            "metrics": dict(result.metrics),
        }
    body: dict[str, Any] = result
    return body


def _json_sample(result: SampleResult) -> dict[str, Any]:
    sequences = [
        {
            "stop_reason": sequence.stop_reason,
            "tokens": sequence.tokens.tolist(),
            "logprobs": sequence.logprobs.tolist(),
        }
        for sequence in result.sequences
    ]
    body: dict[str, Any] = {"type": "sample", "sequences": sequences}
    if result.prompt_logprobs is not None:
        body["prompt_logprobs"] = [
            None if math.isnan(value) else value for value in result.prompt_logprobs.tolist()
        ]
    if result.topk_prompt_logprobs is not None:
        body["topk_prompt_logprobs"] = _json_topk(result.topk_prompt_logprobs)
    body["prompt_cache_hit_tokens"] = result.cached_tokens
    return body


def _json_topk(topk: TopK) -> list[list[tuple[int, float]] | None]:
    rows = []
    for ids, logprobs in zip(topk.token_ids.tolist(), topk.logprobs.tolist(), strict=True):
        cells = [(i, lp) for i, lp in zip(ids, logprobs, strict=True) if lp > -99999.0]
        rows.append(cells or None)
    return rows


def _json_tensor(array: Any) -> dict[str, Any]:
    dtype = "int64" if array.dtype.kind in INTEGERS else "float32"
    return {"data": array.ravel().tolist(), "dtype": dtype, "shape": list(array.shape)}


def sample_message(result: SampleResult) -> Any:
    """A SampleResponse. NaN marks a missing prompt log-probability."""
    message = messages.SampleResponse()
    message.prompt_cache_hit_tokens = result.cached_tokens
    for sequence in result.sequences:
        part = message.sequences.add()
        part.stop_reason = STOP if sequence.stop_reason == "stop" else LENGTH
        part.tokens = sequence.tokens.astype("<i4").tobytes()
        part.logprobs = sequence.logprobs.astype("<f4").tobytes()
        if sequence.topk is not None:
            _set_topk(part.topk_sampled_logprobs, sequence.topk)
    if result.prompt_logprobs is not None:
        message.prompt_logprobs = result.prompt_logprobs.astype("<f4").tobytes()
    if result.topk_prompt_logprobs is not None:
        _set_topk(message.topk_prompt_logprobs, result.topk_prompt_logprobs)
    if result.target_prompt_logprobs is not None:
        _set_tensor(message.target_prompt_logprobs, result.target_prompt_logprobs)
    if result.prompt_alt_tokens is not None and result.prompt_alt_logprobs is not None:
        _set_tensor(message.prompt_alt_tokens.tokens, result.prompt_alt_tokens)
        _set_tensor(message.prompt_alt_tokens.logprobs, result.prompt_alt_logprobs)
    return message


def _set_topk(message: Any, topk: TopK) -> None:
    message.token_ids = topk.token_ids.astype("<i4").tobytes()
    message.logprobs = topk.logprobs.astype("<f4").tobytes()
    message.length, message.k = topk.token_ids.shape


def _set_tensor(message: Any, array: Any) -> None:
    integral = array.dtype.kind in INTEGERS
    message.dense = array.astype("<i8" if integral else "<f4").tobytes()
    message.dtype = DTYPE_INT64 if integral else DTYPE_FLOAT32
    message.shape.extend(array.shape)


def loss_message(result: LossResult) -> Any:
    """A ForwardBackwardOutput with one ArrayRecord, or one per run of datums of one kind."""
    message = messages.ForwardBackwardOutput()
    message.loss_fn_output_type = result.output_type
    for name, value in result.metrics.items():
        message.metrics[name] = value
    for outputs in _alike(result.outputs):
        record = message.loss_fn_outputs.add()
        record.num_datums = len(outputs)
        for name in outputs[0]:
            _set_batch(record.fields[name], [output[name] for output in outputs])
    return message


def _alike(outputs: list[dict[str, Any]]) -> list[list[dict[str, Any]]]:
    """Consecutive datums whose fields have the same names, dtypes and trailing shapes."""
    runs: list[list[dict[str, Any]]] = []
    last = None
    for output in outputs:
        kind = [(name, array.dtype, array.shape[1:]) for name, array in output.items()]
        if kind != last:
            runs.append([])
        runs[-1].append(output)
        last = kind
    return runs


def _set_batch(message: Any, arrays: list[Any]) -> None:
    integral = arrays[0].dtype.kind in INTEGERS
    layout = np.dtype("<i8" if integral else "<f4")
    pieces = [array.astype(layout).tobytes() for array in arrays]
    message.data = b"".join(pieces)
    offsets = np.cumsum([0, *(len(piece) for piece in pieces)])
    message.offsets = offsets.astype("<i8").tobytes()
    message.dtype = DTYPE_INT64 if integral else DTYPE_FLOAT32
    message.trailing_shape.extend(arrays[0].shape[1:])
