"""`TensorData`: a flat list, a dtype, a shape; dense, or sparse rows (CSR).

Two dtypes travel, `int64` and `float32`; everything else is converted on the way.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from math import prod
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from tinker_mock.client.errors import invalid

logger = logging.getLogger(__name__)

WireDtype = Literal["int64", "float32"]
WIRE_DTYPES: tuple[WireDtype, ...] = ("int64", "float32")

_WARNINGS = {
    "f64": "Downcasting float64 to float32 may cause precision loss",
    "u64": "u64 to int64 may overflow for values of 2^63 and above",
}

_SHORT_NAMES = {
    "float64": "f64",
    "float32": "f32",
    "float16": "f16",
    "bool": "u8",
    **{f"int{bits}": f"s{bits}" for bits in (8, 16, 32, 64)},
    **{f"uint{bits}": f"u{bits}" for bits in (8, 16, 32, 64)},
}


@dataclass(frozen=True, slots=True)
class TensorData:
    """An array as it travels: row-major values of dtype int64 or float32.

    `shape` None means one dimension. With the two sparse lists, `data` holds the stored values of
    a 2-D array of that shape: row r's are `data[crow[r]:crow[r+1]]`, in columns `col[...]`.
    """

    data: Sequence[float] | Sequence[int]
    dtype: WireDtype
    shape: Sequence[int] | None = None
    sparse_crow_indices: Sequence[int] | None = field(default=None, metadata={"omit_null": True})
    sparse_col_indices: Sequence[int] | None = field(default=None, metadata={"omit_null": True})

    @classmethod
    def from_array(cls, array: Any, dtype: WireDtype | None = None) -> "TensorData":
        """From numbers, nested lists, or an array of any library that numpy can read.

        float64 becomes float32 and every integer int64, with a log line where that may lose;
        a scalar has shape `None`. Raises `ValidationError` for other dtypes (bfloat16).
        """
        values = _as_numpy(array)
        wire, warning = native_to_wire(values.dtype.name)
        if warning is not None and hasattr(array, "dtype"):
            logger.warning("%s", warning)
        values = values.astype(dtype or wire)
        shape = list(values.shape) if values.ndim else None
        return cls(values.ravel().tolist(), dtype or wire, shape)

    @classmethod
    def from_wire(cls, body: Any) -> "TensorData":
        """From decoded JSON. Raises `ValidationError` naming what is wrong."""
        if not isinstance(body, dict) or "data" not in body:
            raise invalid(f"a tensor needs 'data', 'dtype' and 'shape', got {body!r:.80}")
        dtype = body.get("dtype", "float32")
        if dtype not in ("int64", "float32"):
            raise invalid(f"a tensor's dtype is int64 or float32, got {dtype!r}")
        crow, col = body.get("sparse_crow_indices"), body.get("sparse_col_indices")
        return cls(body["data"], dtype, body.get("shape"), crow, col)

    @classmethod
    def from_numpy(cls, array: NDArray[Any]) -> "TensorData":
        """As `from_array`."""
        return cls.from_array(array)

    @classmethod
    def from_torch(cls, tensor: Any) -> "TensorData":
        """From a torch tensor on any device; bfloat16 is widened to float32."""
        wide = tensor.float() if str(tensor.dtype) == "torch.bfloat16" else tensor
        return cls.from_array(wide)

    @classmethod
    def from_torch_sparse(cls, tensor: Any, pad_value: int = 0) -> "TensorData":
        """From a dense 2-D tensor, torch's or numpy's: as CSR where that is smaller.

        Values equal to `pad_value` are left out. Raises `ValidationError` for another pad value
        than a whole number.
        """
        dense = cls.from_torch(tensor) if hasattr(tensor, "detach") else cls.from_array(tensor)
        values = dense.to_numpy()
        kept = values != _whole(pad_value)
        if values.ndim != 2 or values.shape[0] + 1 + 2 * int(kept.sum()) >= values.size:
            return dense
        crow = np.concatenate([[0], np.cumsum(kept.sum(axis=1))]).tolist()
        columns = np.nonzero(kept)[1].tolist()
        return cls(values[kept].tolist(), dense.dtype, list(values.shape), crow, columns)

    def to_torch(self, pad_value: int = 0) -> Any:
        """A dense torch tensor. Raises `ValidationError` where torch is not installed."""
        try:
            import torch
        except ModuleNotFoundError:
            raise invalid("to_torch needs the package torch, which is not installed") from None
        return torch.from_numpy(np.ascontiguousarray(self.to_numpy(pad_value)))

    def tolist(self, pad_value: int = 0) -> list[Any]:
        """Nested lists in the tensor's shape."""
        return list(self.to_numpy(pad_value).tolist())

    def to_numpy(self, pad_value: int = 0) -> NDArray[Any]:
        """A dense array in its shape; a sparse one has `pad_value` where nothing is stored.

        Raises `ValidationError` if the values do not fit the shape.
        """
        values = np.asarray(self.data, dtype=self.dtype)
        if self.sparse_crow_indices is not None:
            return self._densified(values, _whole(pad_value))
        if self.shape is None:
            return values
        if prod(self.shape) != values.size:
            raise invalid(f"{values.size} values do not fill a tensor of shape {self.shape}")
        return values.reshape(tuple(self.shape))

    def _densified(self, values: NDArray[Any], pad_value: int) -> NDArray[Any]:
        crow = np.asarray(self.sparse_crow_indices, dtype=np.int64)
        cols = np.asarray(self.sparse_col_indices or (), dtype=np.int64)
        if self.shape is None or len(self.shape) != 2 or len(crow) != self.shape[0] + 1:
            raise invalid("a sparse tensor needs a 2-D shape and one more crow index than rows")
        dense = np.full(tuple(self.shape), pad_value, dtype=self.dtype)
        rows = np.repeat(np.arange(self.shape[0]), np.diff(crow))
        dense[rows, cols] = values
        return dense


def parse_dtype(text: str | None) -> WireDtype | None:
    """A dtype as servers spell it, or `None` if it is not one of the two."""
    return next((dtype for dtype in WIRE_DTYPES if dtype == text), None)


def native_to_wire(dtype: str) -> tuple[WireDtype, str | None]:
    """The wire's dtype for a native one (`f64`, `float64`, `u8` …), and a warning if it loses.

    Raises `ValidationError` for bfloat16 and everything that is not a plain number.
    """
    short = _SHORT_NAMES.get(dtype, dtype)
    if short in ("f16", "f32", "f64"):
        return "float32", _WARNINGS.get(short)
    if short in {f"{sign}{bits}" for sign in "su" for bits in (8, 16, 32, 64)}:
        return "int64", _WARNINGS.get(short)
    raise invalid(f"dtype {dtype!r} cannot be sent: convert to float32 or int64 first")


def _whole(pad_value: Any) -> int:
    if isinstance(pad_value, bool) or not isinstance(pad_value, (int, np.integer)):
        raise invalid(f"pad_value must be a whole number, got {pad_value!r}")
    return int(pad_value)


def _as_numpy(array: Any) -> NDArray[Any]:
    detach = getattr(array, "detach", None)
    if detach is not None:  # torch: leave the graph and the device first
        array = detach().cpu()
        if str(array.dtype) == "torch.bfloat16":
            raise invalid("dtype 'bfloat16' cannot be sent: convert to float32 or int64 first")
    return np.asarray(array)
