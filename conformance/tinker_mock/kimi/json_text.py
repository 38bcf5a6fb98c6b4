"""JSON as providers and proxies really send it, read without loss and written anew.

Half surrogate pairs (a JavaScript proxy cut an emoji), NaN and Infinity (Python servers write
them) and integers of any size are all read. What is written is UTF-8 with half pairs escaped, so
that two halves meet again in their reader.
"""

import json
import math
import re
from typing import Any

import orjson

# orjson reads integers beyond 64 bits as floats.
LONG_DIGITS = re.compile(r"[0-9]{19}")
LONG_DIGITS_IN_BYTES = re.compile(rb"[0-9]{19}")
HALF_PAIR = re.compile("[\ud800-\udfff]")


class NoNumber(float):
    """NaN or an infinity: orjson refuses the type, where it would write a float as null."""


def read(text: str | bytes) -> Any:
    """The value. Raises ValueError for what is no JSON by this measure either."""
    long = LONG_DIGITS.search(text) if isinstance(text, str) else LONG_DIGITS_IN_BYTES.search(text)
    if long is None:
        try:
            return orjson.loads(text)
        except ValueError:
            pass
    try:
        return json.loads(text, parse_constant=NoNumber, parse_float=_float)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error


def write(value: Any) -> bytes:
    """Compact UTF-8 of a value that `read` gave, or that is made of such values."""
    try:
        return orjson.dumps(value)
    except TypeError:  # an integer beyond 64 bits, half a surrogate pair, no number
        text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
        return HALF_PAIR.sub(lambda half: f"\\u{ord(half[0]):04x}", text).encode()


def is_json(text: str) -> bool:
    """Whether it can be read."""
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True


def joined(text: str) -> str:
    """`text` with halves that stand side by side made one character again."""
    if HALF_PAIR.search(text) is None:
        return text
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "surrogatepass")


def _float(digits: str) -> float:
    value = float(digits)
    return value if math.isfinite(value) else NoNumber(value)
