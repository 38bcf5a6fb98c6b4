"""The few rules of JavaScript that the original's bytes depend on (compat="original")."""

import json
import math
from typing import Any

WHITESPACE = (
    "\t\n\v\f\r \u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a"
    "\u2028\u2029\u202f\u205f\u3000\ufeff"
)


def trim(text: str) -> str:
    """`String.prototype.trim`."""
    return text.strip(WHITESPACE)


def stringify(value: Any) -> str:
    """`JSON.stringify` of a parsed JSON value."""
    if isinstance(value, dict):
        return "{" + ",".join(f"{quoted(k)}:{stringify(v)}" for k, v in ordered(value)) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(stringify, value)) + "]"
    if isinstance(value, str):
        return quoted(value)
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return number(_double(value))
    return json.dumps(value)


def ordered(value: dict[str, Any]) -> list[tuple[str, Any]]:
    """Properties in JavaScript's order: array indices first, ascending."""
    indices = [key for key in value if key.isascii() and key.isdigit() and key == str(int(key))]
    indices = [key for key in indices if int(key) < 2**32 - 1]
    if not indices:
        return list(value.items())
    first = sorted(indices, key=int)
    rest = [key for key in value if key not in set(first)]
    return [(key, value[key]) for key in first + rest]


def quoted(text: str) -> str:
    """A string literal; lone surrogates are escaped, everything else is kept."""
    plain = json.dumps(text, ensure_ascii=False)
    return "".join(f"\\u{ord(c):04x}" if "\ud800" <= c <= "\udfff" else c for c in plain)


def number(value: float) -> str:
    """`Number.prototype.toString`."""
    if not math.isfinite(value):
        return "null"
    if value == 0:
        return "0"
    mantissa, _, exponent = f"{value!r}".partition("e")
    sign = "-" if mantissa.startswith("-") else ""
    whole, _, fraction = mantissa.lstrip("-").partition(".")
    fraction = "" if fraction == "0" else fraction
    digits = (whole + fraction).lstrip("0")
    point = len(whole) + int(exponent or 0) - (len(whole + fraction) - len(digits))
    digits = digits.rstrip("0")
    if len(digits) <= point <= 21:
        return sign + digits + "0" * (point - len(digits))
    if 0 < point <= 21:
        return f"{sign}{digits[:point]}.{digits[point:]}"
    if -6 < point <= 0:
        return f"{sign}0.{'0' * -point}{digits}"
    tail = f".{digits[1:]}" if len(digits) > 1 else ""
    return f"{sign}{digits[0]}{tail}e{'+' if point > 0 else '-'}{abs(point - 1)}"


def _double(value: float) -> float:
    try:
        return float(value)
    except OverflowError:
        return math.inf


def parse(text: str) -> Any:
    """`JSON.parse`: strict, no NaN or Infinity."""
    return json.loads(text, parse_constant=_refuse)


def _refuse(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")
