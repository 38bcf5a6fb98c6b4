"""An event loop in a thread, and methods that lead into it.

A blocking client is a `Facade`: each of its methods is made from one of the async client's, with
its types and docstring, by `waiting` or `submitting`.
"""

import asyncio
import concurrent.futures
import functools
import threading
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Concatenate, Generic, ParamSpec, Protocol, TypeVar, overload

from tinker_mock.client.futures.operation import Operation

P = ParamSpec("P")
R = TypeVar("R")
T = TypeVar("T")


class Portal:
    """Runs coroutines for callers that have no event loop. Close it when done."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(
            target=self._loop.run_forever, name="tinker-client", daemon=True
        )
        self._thread.start()

    def start(self, work: Coroutine[Any, Any, T]) -> "concurrent.futures.Future[T]":
        """Run in the loop; returns at once."""
        return asyncio.run_coroutine_threadsafe(work, self._loop)

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run in the loop and wait for the result."""
        if threading.current_thread() is self._thread:
            work.close()
            raise RuntimeError("a blocking call from inside the client's own event loop would hang")
        return self.start(work).result()

    def call(self, function: Callable[[], T]) -> T:
        """Call a plain function inside the loop."""

        async def inside() -> T:
            return function()

        return self.run(inside())

    def close(self) -> None:
        """Cancel what still runs and end the thread."""
        if self._loop.is_closed():
            return
        self.run(_cancel_all())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


class Facade(Protocol):
    """A blocking client: its async twin and the loop that runs it."""

    portal: Portal
    inner: Any


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


async def _cancel_all() -> None:
    tasks = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
