"""An event loop in a thread, and work on its way there."""

import asyncio
import concurrent.futures
import threading
import weakref
from collections.abc import (
    Callable,
    Coroutine,
    Generator,
)
from typing import Any, Generic, ParamSpec, TypeVar

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
        """Run in the loop; returns at once. Raises `RuntimeError` when the client is closed."""
        if self._loop.is_closed():
            work.close()
            raise RuntimeError("this client is closed")
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

    @property
    def closed(self) -> bool:
        """Whether there is a loop no more."""
        return self._loop.is_closed()

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

    async def coroutine(self) -> R:
        """This as a coroutine, for `asyncio.create_task` and others that want one."""
        return await self

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


async def _awaited(operation: Operation[R]) -> R:
    try:
        return await operation
    except asyncio.CancelledError:
        operation.cancel()
        raise


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
