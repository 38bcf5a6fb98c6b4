"""Turning a method of an async client into one that blocks, with its types and docstring."""

import functools
from collections.abc import Awaitable, Callable
from typing import Any, Concatenate, Generic, ParamSpec, Protocol, TypeVar, overload

from ..futures.operation import Operation
from .portal import Portal

P = ParamSpec("P")
R = TypeVar("R")


class Facade(Protocol):
    """A blocking client: its async twin and the loop that runs it."""

    portal: Portal
    inner: Any


class BlockingOperation(Generic[R]):
    """Work on its way. `result()` waits for it."""

    def __init__(self, portal: Portal, operation: Operation[R]) -> None:
        self._portal = portal
        self._operation = operation

    def result(self, timeout: float | None = None) -> R:
        """Wait, at most `timeout` seconds: then the work is cancelled, `ApiTimeoutError`."""
        return self._portal.run(self._operation.result(timeout))

    def done(self) -> bool:
        return self._operation.done()

    def cancel(self) -> bool:
        return self._portal.call(self._operation.cancel)


class waiting(Generic[P, R]):
    """A method that waits for the async one's result."""

    def __init__(self, method: Callable[Concatenate[Any, P], Awaitable[R]]) -> None:
        self._method = method
        self.__doc__ = method.__doc__

    @overload
    def __get__(self, client: None, owner: Any) -> "waiting[P, R]": ...
    @overload
    def __get__(self, client: Facade, owner: Any) -> Callable[P, R]: ...
    def __get__(self, client: Facade | None, owner: Any) -> Any:
        if client is None:
            return self

        @functools.wraps(self._method)
        def blocking(*args: P.args, **kwargs: P.kwargs) -> R:
            async def work() -> R:
                return await self._method(client.inner, *args, **kwargs)

            return client.portal.run(work())

        return blocking


class submitting(Generic[P, R]):
    """A method that returns at once, with a `BlockingOperation`."""

    def __init__(self, method: Callable[Concatenate[Any, P], Operation[R]]) -> None:
        self._method = method
        self.__doc__ = method.__doc__

    @overload
    def __get__(self, client: None, owner: Any) -> "submitting[P, R]": ...
    @overload
    def __get__(self, client: Facade, owner: Any) -> Callable[P, BlockingOperation[R]]: ...
    def __get__(self, client: Facade | None, owner: Any) -> Any:
        if client is None:
            return self

        @functools.wraps(self._method)
        def blocking(*args: P.args, **kwargs: P.kwargs) -> BlockingOperation[R]:
            operation = client.portal.call(lambda: self._method(client.inner, *args, **kwargs))
            return BlockingOperation(client.portal, operation)

        return blocking
