"""What an exchange asked for, in one flat object, and how two values differ."""

import re
from datetime import datetime
from functools import cache
from typing import Any
from urllib.parse import unquote

from tinker_mock.contracts import load_contract
from tinker_mock.suite.client.traffic import RecordedExchange

CLOSE = 1e-5
"""Of a number: a client may hold it as float32."""


def operation_of(exchange: RecordedExchange) -> str:
    """The operation, a forward pass by its name in whatever form it was sent."""
    if exchange.operation == "forward_backward" and exchange.body.get("forward_only"):
        return "forward"
    return exchange.operation


def fields_of(exchange: RecordedExchange) -> dict[str, Any]:
    """Path parameters, query and body together; what a pass is given stands beside its number."""
    body = dict(exchange.body)
    work = body.pop("forward_backward_input", None) or body.pop("forward_input", None) or {}
    query = exchange.entry.get("query") or {}
    return {**path_parameters(exchange), **query, **body, **work}


def path_parameters(exchange: RecordedExchange) -> dict[str, str]:
    """The values in the path by the contract's names."""
    operation = load_contract("tinker").operations.get(exchange.operation)
    if operation is None or "{" not in operation.path:
        return {}
    found = pattern(operation.path).fullmatch(unquote(str(exchange.entry["path"])))
    return found.groupdict() if found else {}


@cache
def pattern(path: str) -> re.Pattern[str]:
    """What a path of the contract matches; the last parameter may have slashes."""
    named = re.sub(r"\{(\w+)\}", r"(?P<\1>.+?)", re.sub(r"([.?+])", r"\\\1", path))
    return re.compile(".*?" + named)


def difference(want: Any, got: Any, where: str = "") -> str:
    """Where a value is not what was wanted; empty if it is.

    Of objects only the wanted fields count, where None is a field that is not there. Numbers may
    differ as float32 does; in a query all values are text.
    """
    if isinstance(want, dict) and isinstance(got, dict):
        gaps = (difference(value, got.get(name), f"{where}/{name}") for name, value in want.items())
        return next(filter(None, gaps), "")
    if isinstance(want, list | tuple) and isinstance(got, list | tuple):
        if len(want) != len(got):
            return f"{where}: {len(got)} values instead of {len(want)}"
        pairs = enumerate(zip(want, got, strict=True))
        gaps = (difference(one, two, f"{where}/{place}") for place, (one, two) in pairs)
        return next(filter(None, gaps), "")
    return "" if same(want, got) else f"{where}: {shown(got)} instead of {shown(want)}"


def same(want: Any, got: Any) -> bool:
    """Whether two single values are equal: numbers as float32 are, times by their moment."""
    if isinstance(got, str) and not isinstance(want, str):
        return str(want).lower() == got.lower()
    if isinstance(want, bool) or isinstance(got, bool):
        return want is got
    if isinstance(want, int | float) and isinstance(got, int | float):
        return bool(want == got or abs(want - got) <= CLOSE * max(abs(want), abs(got)))
    if isinstance(want, str) and isinstance(got, str) and want != got:
        moments = moment(want), moment(got)
        return moments[0] is not None and moments[0] == moments[1]
    return bool(want == got)


def moment(text: str) -> datetime | None:
    """The time that a text names."""
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return None


def shown(value: Any) -> str:
    """A value for people, cut where it is long."""
    text = repr(value)
    return text if len(text) < 80 else f"{text[:77]}..."
