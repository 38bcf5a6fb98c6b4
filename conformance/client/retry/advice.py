"""What a server says about trying again."""

from collections.abc import Mapping


def retry_after_ms(headers: Mapping[str, str], *, default: int | None = None) -> int | None:
    """`retry-after-ms`, else `retry-after` in seconds, else the default. Milliseconds.

    Header names are expected in lower case.
    """
    for name, factor in (("retry-after-ms", 1.0), ("retry-after", 1000.0)):
        try:
            return int(float(headers[name]) * factor)
        except (KeyError, ValueError, OverflowError):
            continue
    return default
