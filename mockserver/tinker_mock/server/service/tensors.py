"""Wire tensors to dense arrays. Data are lists (JSON) or numpy arrays (protobuf)."""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinker_mock.server.budget import reserve
from tinker_mock.server.errors import BadRequest

MAX_DENSE = 1 << 24
"""Elements of a tensor that came as CSR."""
INTEGERS = "iu"
"""Kinds of numpy's dtypes."""
MOST_DIMENSIONS = 32
"""Of a tensor."""
CSR = "send crow (rows + 1), col (one a value) and the dense 2-D shape of the tensor"


def dense_tensor(tensor: dict[str, Any], where: str, integer: bool = False) -> NDArray[Any]:
    """A tensor in its shape, int64 or float32; CSR is spread out.

    Raises BadRequest naming the field below `where`.
    """
    dtype = tensor["dtype"]
    if integer and dtype != "int64":
        raise refused(f"{where}.dtype", "int64", f"it is {dtype}", "send token ids as int64")
    data = _values(tensor["data"], dtype, where)
    if tensor.get("sparse_crow_indices") is not None:
        return _densify(tensor, data, where)
    shape = tensor.get("shape")
    if shape is None:
        return data
    if len(shape) > MOST_DIMENSIONS:
        rule = f"at most {MOST_DIMENSIONS} dimensions"
        raise refused(f"{where}.shape", rule, f"it has {len(shape)}", "send vectors or matrices")
    elements = math.prod(int(length) for length in shape)
    if elements != data.size:
        found = f"shape {list(shape)} is for {elements} elements, data has {data.size}"
        raise refused(f"{where}.shape", "as many elements as data", found, "send matching shape")
    return data.reshape([int(length) for length in shape])


def integers(values: Any, where: str) -> NDArray[np.int64]:
    """Whole 64-bit numbers as an array; raises BadRequest."""
    try:
        array = np.asarray(values)
        if array.size == 0:
            return np.zeros(0, dtype=np.int64)
        if array.dtype.kind in INTEGERS:
            return array.astype(np.int64, casting="same_kind")
        if bool(np.all((array == np.floor(array)) & (np.abs(array) < 2.0**63))):
            return array.astype(np.int64)
    except (OverflowError, TypeError, ValueError):
        pass
    raise refused(where, "whole 64-bit numbers", "it is not", "send int64 values")


def refused(where: str, rule: str, found: str, fix: str) -> BadRequest:
    """The refusal of a field; `where` is like `data[3].loss_fn_inputs.weights`."""
    pointer = "/" + where.replace("[", "/").replace("]", "").replace(".", "/")
    return BadRequest(f"{where}: must be {rule}; {found}", pointer=pointer, rule=rule, fix=fix)


def _values(values: Any, dtype: str, where: str) -> NDArray[Any]:
    if dtype == "int64":
        return integers(values, f"{where}.data")
    try:
        # Too large for float32 becomes infinite, which the losses refuse by name.
        with np.errstate(over="ignore"):
            return np.asarray(values, dtype=np.float64).astype(np.float32)
    except (OverflowError, TypeError, ValueError):
        raise refused(f"{where}.data", "numbers", "it is not", "send float32 values") from None


def _densify(tensor: dict[str, Any], values: NDArray[Any], where: str) -> NDArray[Any]:
    """Spread CSR values over the dense 2-D shape; raises when the indices do not fit."""
    shape = [int(length) for length in tensor.get("shape") or ()]
    rows_end = integers(tensor["sparse_crow_indices"], f"{where}.sparse_crow_indices")
    given = tensor.get("sparse_col_indices")
    columns = integers([] if given is None else given, f"{where}.sparse_col_indices")
    if len(shape) != 2 or math.prod(shape) > MAX_DENSE:
        raise refused(f"{where}.shape", "the dense 2-D shape", f"it is {shape}", CSR)
    if rows_end.size != shape[0] + 1 or np.any(np.diff(rows_end) < 0):
        rule = f"{shape[0] + 1} non-decreasing offsets"
        raise refused(f"{where}.sparse_crow_indices", rule, "they are not", CSR)
    if rows_end[0] != 0 or rows_end[-1] != values.size or columns.size != values.size:
        found = f"{columns.size} columns, {values.size} values, last offset {int(rows_end[-1])}"
        raise refused(f"{where}.sparse_col_indices", "one column a value", found, CSR)
    if columns.size and (columns.min() < 0 or columns.max() >= shape[1]):
        found = "they are not"
        raise refused(f"{where}.sparse_col_indices", f"from 0 to {shape[1] - 1}", found, CSR)
    reserve(math.prod(shape) * values.itemsize)
    dense = np.zeros(shape, dtype=values.dtype)
    dense[np.repeat(np.arange(shape[0]), np.diff(rows_end)), columns] = values
    return dense
