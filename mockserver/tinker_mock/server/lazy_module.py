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

import threading
from collections.abc import Callable
from importlib import import_module
from types import ModuleType
from typing import Any, ClassVar

_one_at_a_time = threading.RLock()
"""Two threads that import what imports each other may see half of it."""


class LazyModule:
    """Stands for a module; each of its functions imports it when first called."""

    _named: ClassVar[set[str]] = set()
    _loaded: ClassVar[dict[str, ModuleType]] = {}

    def __init__(self, name: str) -> None:
        self._name = name
        self._named.add(name)

    def __getattr__(self, function: str) -> Callable[..., Any]:
        name = self._name

        def call(*arguments: Any, **named: Any) -> Any:
            module = self._loaded.get(name) or _load(name)
            return getattr(module, function)(*arguments, **named)

        return call

    @classmethod
    def load_all(cls) -> None:
        """Import every module that is named, so that nobody has to wait for one."""
        for name in sorted(cls._named):
            _load(name)


def _load(name: str) -> ModuleType:
    with _one_at_a_time:
        module = LazyModule._loaded[name] = import_module(name)
    return module
