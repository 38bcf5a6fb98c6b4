"""Two dtypes travel, `int64` and `float32`; everything else is converted on the way."""

from typing import Literal

from ..errors import invalid

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
