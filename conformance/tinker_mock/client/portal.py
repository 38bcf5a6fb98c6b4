"""An event loop in a thread, and methods that lead into it.

A blocking client has a `portal` and its async twin `inner`: each of its methods is made from one of
the async client's, with its types, signature and docstring, by `waiting`, `submitting`, `making`,
`streaming` or `twin`.
"""

import asyncio
import concurrent.futures
import functools
import inspect
import threading
import weakref
from collections.abc import (
    AsyncIterator,
    Awaitable,
    Callable,
    Coroutine,
    Generator,
    Iterator,
)
from typing import Any, Concatenate, Generic, ParamSpec, TypeVar

from tinker_mock.client.futures.operation import Operation

P = ParamSpec("P")
R = TypeVar("R")
T = TypeVar("T")
W = TypeVar("W")
_PATIENCE = 10.0  # seconds that the end of a program waits for the last requests
F = TypeVar("F", bound=Callable[..., Any])


class Portal:
    """Runs coroutines for callers that have no event loop. Close it when done."""

    def __init__(self) -> None:
        self._finalizer: weakref.finalize[Any, Any] | None = None
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(
            target=self._loop.run_forever, name="tinker-client", daemon=True
        )
        self._thread.start()

    def at_end(self, close: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Call `close` when nobody holds this portal any more, or the program ends."""
        self._finalizer = weakref.finalize(self, _tidy_up, self._loop, self._thread, close)

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
        if self._finalizer is not None:
            self._finalizer.detach()
        self.run(_cancel_all())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


class BlockingOperation(Generic[R]):
    """Work on its way: wait with `result()`, await it, or use it as a `concurrent.futures` one."""

    def __init__(self, portal: Portal, operation: Operation[R]) -> None:
        self._portal = portal
        self._operation = operation
        self._future = portal.start(_awaited(operation))

    def result(self, timeout: float | None = None) -> R:
        """Wait, at most `timeout` seconds: then the work is cancelled, `ApiTimeoutError`."""
        return self._portal.run(self._operation.result(timeout))

    async def result_async(self, timeout: float | None = None) -> R:
        """As `result`, in any event loop."""
        return await asyncio.wrap_future(self._portal.start(self._operation.result(timeout)))

    def __await__(self) -> Generator[Any, None, R]:
        return asyncio.wrap_future(self._future).__await__()

    def future(self) -> "concurrent.futures.Future[R]":
        """For `concurrent.futures.wait` and `as_completed`; cancelling it cancels the work."""
        return self._future

    def exception(self, timeout: float | None = None) -> BaseException | None:
        """The error it ended in, waiting for the end; `None` after success."""
        return self._future.exception(timeout)

    def add_done_callback(self, function: Callable[["BlockingOperation[R]"], object]) -> None:
        """Call `function(self)` once it has ended, at once if it has."""
        self._future.add_done_callback(lambda _: function(self))

    def done(self) -> bool:
        """Whether it has ended, in whatever way."""
        return self._operation.done()

    def running(self) -> bool:
        return not self.done()

    def cancelled(self) -> bool:
        return self._future.cancelled()

    def cancel(self) -> bool:
        """Stop waiting; where the server supports it, it is told to stop working too."""
        return self._portal.call(self._operation.cancel)


def waiting(
    method: Callable[Concatenate[Any, P], Awaitable[R]],
) -> Callable[Concatenate[Any, P], R]:
    """A method that waits for the async one's result."""

    def blocking(client: Any, /, *args: P.args, **kwargs: P.kwargs) -> R:
        async def work() -> R:
            return await method(client.inner, *args, **kwargs)

        result: R = client.portal.run(work())
        return result

    return _named(blocking, method)


def submitting(
    method: Callable[Concatenate[Any, P], Operation[R]],
) -> Callable[Concatenate[Any, P], BlockingOperation[R]]:
    """A method that returns at once, with a `BlockingOperation`."""

    def blocking(client: Any, /, *args: P.args, **kwargs: P.kwargs) -> BlockingOperation[R]:
        operation = client.portal.call(lambda: method(client.inner, *args, **kwargs))
        return BlockingOperation(client.portal, operation)

    return _named(blocking, method, lambda text: f"Blocking{text}")


def making(
    method: Callable[Concatenate[Any, P], Awaitable[R]], wrap: Callable[[Portal, R], W]
) -> Callable[Concatenate[Any, P], W]:
    """A method that waits for an async client and returns its blocking twin."""

    def blocking(client: Any, /, *args: P.args, **kwargs: P.kwargs) -> W:
        async def work() -> R:
            return await method(client.inner, *args, **kwargs)

        return wrap(client.portal, client.portal.run(work()))

    return _named(blocking, method, lambda _: getattr(wrap, "__name__", "client"))


def streaming(
    method: Callable[Concatenate[Any, P], AsyncIterator[R]],
) -> Callable[Concatenate[Any, P], Iterator[R]]:
    """A method that yields what the async one yields; breaking off closes the stream."""

    def blocking(client: Any, /, *args: P.args, **kwargs: P.kwargs) -> Iterator[R]:
        source = client.portal.call(lambda: method(client.inner, *args, **kwargs))
        try:
            while True:
                try:
                    yield client.portal.run(_next(source))
                except StopAsyncIteration:
                    return
        finally:
            client.portal.run(_closed(source))

    return _named(blocking, method, lambda text: text.replace("AsyncIterator", "Iterator"))


def twin(
    method: Callable[Concatenate[Any, P], Awaitable[R]],
) -> Callable[Concatenate[Any, P], Coroutine[Any, Any, R]]:
    """The `_async` form of a blocking method, awaitable in any event loop."""

    async def awaited(client: Any, /, *args: P.args, **kwargs: P.kwargs) -> R:
        async def work() -> R:
            return await method(client.inner, *args, **kwargs)

        return await asyncio.wrap_future(client.portal.start(work()))

    named = _named(awaited, method)
    named.__name__ = f"{method.__name__}_async"
    return named


def _named(function: F, method: Callable[..., Any], result: Callable[[str], str] = str) -> F:
    """Give a function the method's name, text and signature, `self` included."""
    functools.update_wrapper(function, method)
    del function.__wrapped__  # type: ignore[attr-defined]
    signature = inspect.signature(method)
    returned = signature.return_annotation
    text = returned if isinstance(returned, str) else inspect.formatannotation(returned)
    changed = signature.replace(return_annotation=_Shown(result(text)))
    function.__signature__ = changed  # type: ignore[attr-defined]
    return function


class _Shown(str):
    """An annotation that `help` prints as it is."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)


async def _awaited(operation: Operation[R]) -> R:
    try:
        return await operation
    except asyncio.CancelledError:
        operation.cancel()
        raise


async def _next(source: AsyncIterator[R]) -> R:
    return await anext(source)


async def _closed(source: AsyncIterator[Any]) -> None:
    close = getattr(source, "aclose", None)
    if close is not None:
        await close()


def _tidy_up(
    loop: asyncio.AbstractEventLoop,
    thread: threading.Thread,
    close: Callable[[], Coroutine[Any, Any, None]],
) -> None:
    """End a client that was never closed; without waiting when its own loop collects it."""

    async def ended() -> None:
        try:
            await close()
        finally:
            loop.stop()

    if loop.is_closed() or not thread.is_alive():
        return
    asyncio.run_coroutine_threadsafe(ended(), loop)
    if threading.current_thread() is not thread:
        thread.join(_PATIENCE)


async def _cancel_all() -> None:
    tasks = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
