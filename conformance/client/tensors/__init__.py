"""Arrays on the wire."""

from .data import TensorData
from .dtypes import WIRE_DTYPES, native_to_wire, parse_dtype

__all__ = ["WIRE_DTYPES", "TensorData", "native_to_wire", "parse_dtype"]
