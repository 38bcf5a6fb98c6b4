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

    def to_numpy(self) -> NDArray[Any]:
        """A dense array in its shape. Raises `ValidationError` if the values do not fit it."""
        values = np.asarray(self.data, dtype=self.dtype)
        if self.sparse_crow_indices is not None:
            return self._densified(values)
        if self.shape is None:
            return values
        if prod(self.shape) != values.size:
            raise invalid(f"{values.size} values do not fill a tensor of shape {self.shape}")
        return values.reshape(tuple(self.shape))

    def _densified(self, values: NDArray[Any]) -> NDArray[Any]:
        crow = np.asarray(self.sparse_crow_indices, dtype=np.int64)
        cols = np.asarray(self.sparse_col_indices or (), dtype=np.int64)
        if self.shape is None or len(self.shape) != 2 or len(crow) != self.shape[0] + 1:
            raise invalid("a sparse tensor needs a 2-D shape and one more crow index than rows")
        dense = np.zeros(tuple(self.shape), dtype=self.dtype)
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


def _as_numpy(array: Any) -> NDArray[Any]:
    detach = getattr(array, "detach", None)
    if detach is not None:  # torch: leave the graph and the device first
        array = detach().cpu()
        if str(array.dtype) == "torch.bfloat16":
            raise invalid("dtype 'bfloat16' cannot be sent: convert to float32 or int64 first")
    return np.asarray(array)
