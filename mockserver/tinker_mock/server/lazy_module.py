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

import asyncio
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from importlib import import_module
from typing import Any, ClassVar

IMPORTING = threading.RLock()
"""Two threads that import numpy's parts in different orders are given half of it: one at a time."""


class LazyFunction:
    """Stands for a function of a module that is imported when it is first called."""

    def __init__(self, module: str, name: str) -> None:
        self._module = module
        self._name = name

    @property
    def here(self) -> bool:
        """Whether the module is imported, all of it."""
        module = sys.modules.get(self._module)
        return not (module is None or getattr(module.__spec__, "_initializing", False))

    def load(self) -> None:
        """Import the module."""
        with IMPORTING:
            import_module(self._module)

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        if not self.here:
            self.load()
        return getattr(sys.modules[self._module], self._name)(*arguments, **named)


class LazyModule:
    """Stands for a module; each of its functions imports it when first called.

    One that is `rare` is not imported before that.
    """

    _named: ClassVar[set[str]] = set()

    def __init__(self, name: str, *, rare: bool = False) -> None:
        self._name = name
        if not rare:
            self._named.add(name)

    def __getattr__(self, function: str) -> LazyFunction:
        return LazyFunction(self._name, function)

    @classmethod
    def load_all(cls, *first: str) -> None:
        """Import every module that is named, so that nobody has to wait for one; but for those that
        need an extra that is not installed."""
        for name in (*first, *sorted(cls._named)):
            with IMPORTING, suppress(ModuleNotFoundError):
                import_module(name)


def is_here(function: Callable[..., Any]) -> bool:
    """Whether calling it imports nothing."""
    return not isinstance(function, LazyFunction) or function.here


async def loaded(function: Callable[..., Any]) -> None:
    """Have what a function needs imported in a thread: others are answered meanwhile."""
    if isinstance(function, LazyFunction) and not function.here:
        await asyncio.to_thread(function.load)
