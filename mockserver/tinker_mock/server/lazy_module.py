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

import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from importlib import import_module
from typing import Any, ClassVar

IMPORTING = threading.RLock()
"""Two threads that import numpy's parts in different orders are given half of it: one at a time."""


class LazyModule:
    """Stands for a module; each of its functions imports it when first called."""

    _named: ClassVar[set[str]] = set()

    def __init__(self, name: str) -> None:
        self._name = name
        self._named.add(name)

    def __getattr__(self, function: str) -> Callable[..., Any]:
        name = self._name

        def call(*arguments: Any, **named: Any) -> Any:
            module = sys.modules.get(name)
            if module is None or getattr(module.__spec__, "_initializing", False):
                with IMPORTING:
                    module = import_module(name)
            return getattr(module, function)(*arguments, **named)

        return call

    @classmethod
    def load_all(cls) -> None:
        """Import every module that is named, so that nobody has to wait for one; but for those that
        need an extra that is not installed."""
        for name in sorted(cls._named):
            with IMPORTING, suppress(ModuleNotFoundError):
                import_module(name)
