"""Wire data to engine data: chunks to tokens, tensors to dense arrays.

Values are lists (JSON) or numpy arrays (protobuf). Errors name the field as
`data[3].loss_fn_inputs.weights`.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mockserver.engine import Datum
from mockserver.errors import BadRequest
from mockserver.service.images import dmel_positions, image_positions, pointer_positions

NOT_TEXT = -1
"""The id of every position that is no text."""
MAX_DENSE = 1 << 27
INTEGER_INPUTS = {"target_tokens"}


def training_data(data: list[dict[str, Any]], vocabulary_size: int) -> list[Datum]:
    """The datums of a forward or forward_backward request."""
    if not data:
        raise _bad("data", "at least one datum", "it is empty", "send one datum or more")
    found = []
    for place, datum in enumerate(data):
        where = f"data[{place}]"
        tokens = prompt_tokens(datum["model_input"], f"{where}.model_input", vocabulary_size)
        inputs = {
            name: dense_tensor(tensor, f"{where}.loss_fn_inputs.{name}", name in INTEGER_INPUTS)
            for name, tensor in datum["loss_fn_inputs"].items()
        }
        found.append(Datum(tokens, inputs))
    return found


def prompt_tokens(
    model_input: dict[str, Any], where: str, vocabulary_size: int
) -> NDArray[np.int64]:
    """The token ids of a model input; pictures and sounds become runs of NOT_TEXT."""
    pieces: list[NDArray[np.int64]] = []
    for place, chunk in enumerate(model_input["chunks"]):
        pieces.append(_chunk_tokens(chunk, f"{where}.chunks[{place}]", vocabulary_size))
    return np.concatenate(pieces) if pieces else np.zeros(0, dtype=np.int64)


def _chunk_tokens(chunk: dict[str, Any], where: str, vocabulary_size: int) -> NDArray[np.int64]:
    # Releases up to 0.16 leave `type` out: the one field that only a kind has tells it.
    if "tokens" in chunk:
        tokens = np.asarray(chunk["tokens"], dtype=np.int64)
        _check_ids(tokens, f"{where}.tokens", vocabulary_size)
        return tokens
    if "location" in chunk:
        count = pointer_positions(chunk)
    elif "data" in chunk:
        count = image_positions(chunk, where)
    else:
        count = dmel_positions(chunk, where)
    return np.full(count, NOT_TEXT, dtype=np.int64)


def _check_ids(tokens: NDArray[np.int64], where: str, vocabulary_size: int) -> None:
    outside = (tokens < 0) | (tokens >= vocabulary_size)
    if outside.any():
        place = int(np.argmax(outside))
        rule = f"ids from 0 to {vocabulary_size - 1}"
        fix = "tokenize with the tokenizer of this base model"
        raise _bad(f"{where}[{place}]", rule, f"it is {int(tokens[place])}", fix)


def dense_tensor(tensor: dict[str, Any], where: str, integer: bool = False) -> NDArray[Any]:
    """A tensor as a dense array in its shape; CSR is spread out."""
    dtype = tensor["dtype"]
    if integer and dtype != "int64":
        raise _bad(f"{where}.dtype", "int64", f"it is {dtype}", "send token ids as int64")
    data = _values(tensor["data"], dtype, where)
    if tensor.get("sparse_crow_indices") is not None:
        return _densify(tensor, data, where)
    shape = tensor.get("shape")
    if shape is None:
        return data
    if int(np.prod(shape)) != data.size:
        told = f"shape {list(shape)} is for {int(np.prod(shape))} elements, data has {data.size}"
        raise _bad(f"{where}.shape", "as many elements as data", told, "send matching shape")
    return data.reshape([int(length) for length in shape])


def _values(values: Any, dtype: str, where: str) -> NDArray[Any]:
    array = np.asarray(values)
    if array.size == 0:
        return np.zeros(0, dtype=np.int64 if dtype == "int64" else np.float32)
    if dtype == "int64" and not _whole(array):
        raise _bad(f"{where}.data", "whole 64-bit numbers", "it is not", "send int64 values")
    return array.astype(np.int64 if dtype == "int64" else np.float32)


def _whole(array: NDArray[Any]) -> bool:
    if array.dtype == object:
        return False
    return np.issubdtype(array.dtype, np.integer) or bool(np.all(array == np.floor(array)))


def _densify(tensor: dict[str, Any], values: NDArray[Any], where: str) -> NDArray[Any]:
    """Spread CSR values over the dense 2-D shape; raises when the indices do not fit."""
    shape = [int(length) for length in tensor.get("shape") or ()]
    rows_end = np.asarray(tensor["sparse_crow_indices"], dtype=np.int64)
    columns = np.asarray(tensor.get("sparse_col_indices", ()), dtype=np.int64)
    fix = "send crow (rows + 1), col (one a value) and the dense 2-D shape of the tensor"
    if len(shape) != 2 or shape[0] * shape[1] > MAX_DENSE:
        raise _bad(f"{where}.shape", "the dense 2-D shape", f"it is {shape}", fix)
    if rows_end.size != shape[0] + 1 or np.any(np.diff(rows_end) < 0):
        rule = f"{shape[0] + 1} non-decreasing offsets"
        raise _bad(f"{where}.sparse_crow_indices", rule, "they are not", fix)
    if rows_end[0] != 0 or rows_end[-1] != values.size or columns.size != values.size:
        told = f"{columns.size} columns, {values.size} values, last offset {int(rows_end[-1])}"
        raise _bad(f"{where}.sparse_col_indices", "one column a value", told, fix)
    if columns.size and (columns.min() < 0 or columns.max() >= shape[1]):
        raise _bad(f"{where}.sparse_col_indices", f"0 to {shape[1] - 1}", "they are not", fix)
    dense = np.zeros(shape, dtype=values.dtype)
    dense[np.repeat(np.arange(shape[0]), np.diff(rows_end)), columns] = values
    return dense


def _bad(where: str, rule: str, told: str, fix: str) -> BadRequest:
    pointer = "/" + where.replace("[", "/").replace("]", "").replace(".", "/")
    return BadRequest(f"{where}: must be {rule}; {told}", pointer=pointer, rule=rule, fix=fix)
