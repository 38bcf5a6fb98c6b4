"""`Operation`: a result that is on its way."""

import asyncio
from collections.abc import Callable, Coroutine, Generator, Sequence
from typing import Any, Generic, Protocol, TypeVar

from tinker_mock.client.clock import Clock, RealClock, within
from tinker_mock.client.config.presets import PYTHON_LATEST, Preset
from tinker_mock.client.errors import ApiTimeoutError, Category, TinkerError, invalid
from tinker_mock.client.watch.events import EventHub


class Reporting(Protocol):
    """Who tells of events: a connection."""

    clock: Clock
    events: EventHub


T = TypeVar("T")
R = TypeVar("R")


class Operation(Generic[T]):
    """Work already submitted, or waiting for its turn to be. Await it, or `result(timeout)`.

    It runs whether or not somebody waits. Awaiting it twice gives the same result.
    """

    def __init__(self, work: Coroutine[Any, Any, T], clock: Clock | None = None) -> None:
        self._clock = clock or RealClock()
        self._task = asyncio.ensure_future(work)
        self._task.add_done_callback(_retrieved)

    def __await__(self) -> Generator[Any, None, T]:
        return asyncio.shield(self._task).__await__()

    async def result(self, timeout: float | None = None) -> T:
        """The result. After `timeout` seconds the work is cancelled: `ApiTimeoutError`.

        Raises `ValidationError` for a time that is negative or none; the work goes on then.
        """
        check_timeout(timeout)
        try:
            return await within(self._clock, self._task, timeout)
        except ApiTimeoutError:  # the work's own, also a TimeoutError
            raise
        except TimeoutError:
            raise ApiTimeoutError(
                f"Future task did not complete within {_milliseconds(timeout)}ms",
                category=Category.SERVER,
            ) from None

    async def result_async(self, timeout: float | None = None) -> T:
        """The same as `result`, by the SDK's name."""
        return await self.result(timeout)

    def add_done_callback(self, function: Callable[["Operation[T]"], object]) -> None:
        """Call `function(self)` once it has ended, soon if it has."""
        self._task.add_done_callback(lambda _: function(self))

    def exception(self) -> BaseException | None:
        """The error it ended in. Raises `InvalidStateError` before the end."""
        return self._task.exception()

    def done(self) -> bool:
        return self._task.done()

    def cancel(self) -> bool:
        """Stop waiting; where the server supports it, it is told to stop working too."""
        return self._task.cancel()

    def then(self, change: Callable[[T], R]) -> "Operation[R]":
        """Another operation with a changed result."""

        async def changed() -> R:
            return change(await self)

        return Operation(changed(), self._clock)


def check_timeout(timeout: float | None) -> None:
    """Raise `ValidationError` for a time that nobody can wait."""
    number = isinstance(timeout, (int, float)) and not isinstance(timeout, bool)
    if timeout is not None and not (number and timeout >= 0):
        raise invalid(f"timeout must be a number of seconds, at least 0, got {timeout!r}")


def started(connection: Reporting, work: Coroutine[Any, Any, T]) -> Operation[T]:
    """An operation whose failure is told as `operation.exception`."""

    async def told() -> T:
        try:
            return await work
        except Exception as error:
            connection.events.emit("operation.exception", error=error)
            raise

    return Operation(told(), connection.clock)


async def await_many(
    operations: Sequence[Operation[T]],
    *,
    timeout: float | None = None,
    preset: Preset = PYTHON_LATEST,
) -> list[T | BaseException]:
    """Wait for all, in order. What failed, or came late, is its exception in the list.

    What crashed inside (no `TinkerError`) is that exception, or a timeout where the preset's
    client calls it one.
    """
    waits = [operation.result(timeout) for operation in operations]
    results = await asyncio.gather(*waits, return_exceptions=True)
    return [_seen_by(preset, result) for result in results]


def _seen_by(preset: Preset, result: T | BaseException) -> T | BaseException:
    foreign = isinstance(result, Exception) and not isinstance(result, TinkerError)
    if foreign and preset.crashed_await == "timeout":
        return ApiTimeoutError(f"the task crashed: {result}", category=Category.SERVER)
    return result


def _milliseconds(seconds: float | None) -> int:
    return round((seconds or 0) * 1000)


def _retrieved(task: "asyncio.Future[Any]") -> None:
    """Mark an error as seen: whoever awaits the operation gets it, and nobody has to."""
    if not task.cancelled():
        task.exception()
