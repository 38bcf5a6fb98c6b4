"""`APIFuture`, and futures of clients that may also be used as the clients they will be."""

import asyncio
import concurrent.futures
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Generator
from typing import Any, Generic, TypeVar

from tinker_mock.client import blocking
from tinker_mock.client.futures.operation import Operation
from tinker_mock.client.portal import BlockingOperation, Portal

T = TypeVar("T")
C = TypeVar("C", bound=blocking.TrainingOperations | blocking.SamplingClient)


class APIFuture(ABC, Generic[T]):
    """A result on its way: `result()`, `await`, or `future()` for `concurrent.futures`.

    What this package's clients return counts as one.
    """

    @abstractmethod
    def result(self, timeout: float | None = None) -> T:
        """Wait for it, at most `timeout` seconds: `TimeoutError`."""

    @abstractmethod
    async def result_async(self, timeout: float | None = None) -> T:
        """As `result`, in an event loop."""

    @abstractmethod
    def future(self) -> "concurrent.futures.Future[T]":
        """For `concurrent.futures.wait` and its like."""

    async def coroutine(self) -> T:
        """This as a coroutine, for `asyncio.create_task` and its like."""
        return await self

    def __await__(self) -> Generator[Any, None, T]:
        return self.result_async().__await__()


APIFuture.register(BlockingOperation)


class AwaitableConcurrentFuture(APIFuture[T]):
    """An `APIFuture` around a `concurrent.futures.Future`."""

    def __init__(self, future: "concurrent.futures.Future[T]") -> None:
        self._future = future

    def result(self, timeout: float | None = None) -> T:
        return self._future.result(timeout)

    async def result_async(self, timeout: float | None = None) -> T:
        async with asyncio.timeout(timeout):
            return await asyncio.wrap_future(self._future)

    def future(self) -> "concurrent.futures.Future[T]":
        return self._future


class ThreadFuture(AwaitableConcurrentFuture[T]):
    """Of a function that runs in a thread of its own."""

    def __init__(self, function: Callable[[], T]) -> None:
        future: concurrent.futures.Future[T] = concurrent.futures.Future()

        def run() -> None:
            try:
                future.set_result(function())
            except BaseException as error:
                future.set_exception(error)

        threading.Thread(target=run, name="tinker-compat").start()
        super().__init__(future)


class ClientFuture(BlockingOperation[C]):
    """Of a client. Asked for the client's own attributes and methods, it waits for the client."""

    def __init__(self, portal: Portal, operation: Operation[C]) -> None:
        BlockingOperation.__init__(self, portal, operation)
        self.portal = portal

    def __getattr__(self, name: str) -> Any:
        if name != "inner":
            raise AttributeError(name)
        return self.result().inner

    def __repr__(self) -> str:
        state = "pending" if not self.done() else "cancelled" if self.cancelled() else "done"
        return f"<{type(self).__name__}: {state}>"
