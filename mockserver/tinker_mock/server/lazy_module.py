"""Importing late what is heavy: the one place that does.

A server that has just been started imports neither the engine nor numpy, and answers its first
health check in a fraction of the time they take. Tables of functions name them through a
`LazyModule` (type checkers see the module itself):

    if TYPE_CHECKING:
        from tinker_mock.server.handlers import sampling
    else:
        sampling = LazyModule("tinker_mock.server.handlers.sampling")

    TABLE = {"asample": sampling.asample}
"""

from collections.abc import Callable
from importlib import import_module
from typing import Any


class LazyModule:
    """Stands for a module; each of its functions imports it when first called."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __getattr__(self, function: str) -> Callable[..., Any]:
        def call(*arguments: Any, **named: Any) -> Any:
            return getattr(import_module(self._name), function)(*arguments, **named)

        return call
