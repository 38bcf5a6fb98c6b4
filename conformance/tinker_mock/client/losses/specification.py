"""`RegularizerSpec`: a penalty, its weight, its name."""

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tinker_mock.client.errors import invalid


@dataclass(frozen=True, slots=True)
class RegularizerSpec:
    """`fn(data, logprobs) -> (scalar, metrics)`, counted with `weight`.

    With `run_async`, `fn` is a coroutine function and runs beside the others.
    Raises `ValidationError` naming the field.
    """

    fn: Callable[..., Any]
    weight: float
    name: str
    run_async: bool = False

    def __post_init__(self) -> None:
        if not callable(self.fn) or not _takes_two(self.fn):
            raise invalid("fn must be a function of arity 2: fn(data, logprobs)")
        weight = self.weight
        if isinstance(weight, bool) or not isinstance(weight, (int, float)) or weight < 0:
            raise invalid(f"weight must be a non-negative number, got {weight!r}")
        if not isinstance(self.name, str) or not self.name:
            raise invalid(f"name must be a non-empty string, got {self.name!r}")
        if not isinstance(self.run_async, bool):
            raise invalid(f"run_async must be a boolean, got {self.run_async!r}")


def _takes_two(fn: Callable[..., Any]) -> bool:
    try:
        inspect.signature(fn).bind(None, None)
    except TypeError:
        return False
    return True
