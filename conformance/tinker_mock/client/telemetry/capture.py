"""Reporting what a block or a function raises, and raising it."""

import functools
import inspect
from collections.abc import Callable
from types import TracebackType
from typing import Any, Protocol, TypeVar, overload

from tinker_mock.client.telemetry.events import Severity

F = TypeVar("F", bound=Callable[..., Any])


class Reporter(Protocol):
    """Who takes exceptions: a `TelemetryReporter`."""

    def log_exception(self, error: BaseException, severity: Severity = ...) -> bool: ...

    def log_fatal_exception_sync(self, error: BaseException, severity: Severity = ...) -> bool: ...

    async def log_fatal_exception(self, error: BaseException, severity: Severity = ...) -> bool: ...


class Capture:
    """`with`, `async with`, or a decorator of functions and coroutine functions.

    A fatal exception ends the session; it is sent before it goes on. Without a reporter a method's
    own object is asked for one: its `get_telemetry()`.
    """

    def __init__(self, reporter: Reporter | None, severity: Severity, fatal: bool) -> None:
        self._reporter = reporter
        self._severity = severity
        self._fatal = fatal

    def __enter__(self) -> None:
        return None

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._reporter is None or not isinstance(error, Exception):
            return
        if self._fatal:
            self._reporter.log_fatal_exception_sync(error, self._severity)
        else:
            self._reporter.log_exception(error, self._severity)

    async def __aenter__(self) -> None:
        return None

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._fatal and self._reporter is not None and isinstance(error, Exception):
            await self._reporter.log_fatal_exception(error, self._severity)
        else:
            self.__exit__(kind, error, trace)

    def __call__(self, function: F) -> F:
        if inspect.iscoroutinefunction(function):

            @functools.wraps(function)
            async def awaited(*args: Any, **kwargs: Any) -> Any:
                async with self._of(args):
                    return await function(*args, **kwargs)

            return awaited  # type: ignore[return-value]

        @functools.wraps(function)
        def called(*args: Any, **kwargs: Any) -> Any:
            with self._of(args):
                return function(*args, **kwargs)

        return called  # type: ignore[return-value]

    def _of(self, args: tuple[Any, ...]) -> "Capture":
        """This, with the reporter of the method's own object where none was given."""
        ask = getattr(args[0], "get_telemetry", None) if args else None
        if self._reporter is not None or ask is None:
            return self
        return Capture(ask(), self._severity, self._fatal)


@overload
def capture_exceptions(target: F, severity: Severity = ..., *, fatal: bool = ...) -> F: ...


@overload
def capture_exceptions(
    target: Reporter | None = ..., severity: Severity = ..., *, fatal: bool = ...
) -> Capture: ...


def capture_exceptions(
    target: Any = None, severity: Severity = Severity.ERROR, *, fatal: bool = False
) -> Any:
    """Report what a body raises, and raise it: `with capture_exceptions(reporter):`.

    Also a decorator, `@capture_exceptions(reporter)`, or `@capture_exceptions` for methods of an
    object with `get_telemetry()`. Without a reporter it only raises.
    """
    if inspect.isroutine(target):
        return Capture(None, severity, fatal)(target)
    return Capture(target, severity, fatal)
