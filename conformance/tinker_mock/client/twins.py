"""Methods of blocking clients, each made from one of an async client's, with its types and texts.

A blocking client has a `portal` and its async twin `inner`. `waiting`, `submitting`, `asking`,
`making`, `creating` and `streaming` give a method without `await`; `twin`, `handing` and
`making_async` its `_async` form, for any event loop.
"""

import asyncio
import functools
import inspect
from collections.abc import (
    AsyncIterator,
    Awaitable,
    Callable,
    Coroutine,
    Iterator,
)
from typing import Any, Concatenate, ParamSpec, TypeVar

from tinker_mock.client.futures.operation import Operation, started
from tinker_mock.client.portal import BlockingOperation, Portal

P = ParamSpec("P")
R = TypeVar("R")
W = TypeVar("W")
X = TypeVar("X")
F = TypeVar("F", bound=Callable[..., Any])


def waiting(
    method: Callable[Concatenate[Any, P], Awaitable[R]],
) -> Callable[Concatenate[Any, P], R]:
    """A method that waits for the async one's result."""

    def blocking(client: Any, /, *args: P.args, **kwargs: P.kwargs) -> R:
        inner = client.inner

        async def work() -> R:
            return await method(inner, *args, **kwargs)

        result: R = client.portal.run(work())
        return result

    return _named(blocking, method)


def submitting(
    method: Callable[Concatenate[Any, P], Operation[R]],
) -> Callable[Concatenate[Any, P], BlockingOperation[R]]:
    """A method that returns at once, with a `BlockingOperation`."""

    def blocking(client: Any, /, *args: P.args, **kwargs: P.kwargs) -> BlockingOperation[R]:
        inner = client.inner
        operation = client.portal.call(lambda: method(inner, *args, **kwargs))
        return BlockingOperation(client.portal, operation)

    return _named(blocking, method, lambda text: f"Blocking{text}")


def making(
    method: Callable[Concatenate[Any, P], Awaitable[R]], wrap: Callable[[Portal, R], W]
) -> Callable[Concatenate[Any, P], W]:
    """A method that waits for an async client and returns its blocking twin."""

    def blocking(client: Any, /, *args: P.args, **kwargs: P.kwargs) -> W:
        inner = client.inner

        async def work() -> R:
            return await method(inner, *args, **kwargs)

        return wrap(client.portal, client.portal.run(work()))

    return _named(blocking, method, lambda _: getattr(wrap, "__name__", "client"))


def handing(
    method: Callable[Concatenate[Any, P], Operation[R]],
) -> Callable[Concatenate[Any, P], Coroutine[Any, Any, BlockingOperation[R]]]:
    """The `_async` form of a submitting method: awaited, it hands out the operation."""

    async def handed(client: Any, /, *args: P.args, **kwargs: P.kwargs) -> BlockingOperation[R]:
        inner = client.inner

        async def submitted() -> Operation[R]:
            return method(inner, *args, **kwargs)

        operation = await asyncio.wrap_future(client.portal.start(submitted()))
        return BlockingOperation(client.portal, operation)

    named = _named(handed, method, lambda text: f"Blocking{text}")
    named.__name__ = f"{method.__name__}_async"
    return named


def making_async(
    method: Callable[Concatenate[Any, P], Awaitable[R]], wrap: Callable[[Portal, R], W]
) -> Callable[Concatenate[Any, P], Coroutine[Any, Any, W]]:
    """The `_async` form of a making method, awaitable in any event loop."""

    async def made(client: Any, /, *args: P.args, **kwargs: P.kwargs) -> W:
        inner = client.inner

        async def work() -> R:
            return await method(inner, *args, **kwargs)

        return wrap(client.portal, await asyncio.wrap_future(client.portal.start(work())))

    named = _named(made, method, lambda _: getattr(wrap, "__name__", "client"))
    named.__name__ = f"{method.__name__}_async"
    return named


def creating(
    method: Callable[Concatenate[Any, P], Awaitable[R]],
    wrap: Callable[[Portal, R], W],
    future: Callable[[Portal, Operation[W]], X],
) -> Callable[Concatenate[Any, P], X]:
    """A method that returns at once, with a `future` of the wrapped async client."""

    def blocking(client: Any, /, *args: P.args, **kwargs: P.kwargs) -> X:
        portal: Portal = client.portal
        inner = client.inner

        def begun() -> Operation[W]:
            awaited = method(inner, *args, **kwargs)

            async def wrapped() -> W:
                return wrap(portal, await awaited)

            return started(inner.connection, wrapped())

        return future(portal, portal.call(begun))

    return _named(blocking, method, lambda _: getattr(future, "__name__", "future"))


def asking(
    method: Callable[Concatenate[Any, P], Coroutine[Any, Any, R]],
) -> Callable[Concatenate[Any, P], BlockingOperation[R]]:
    """A method that returns at once, with the coroutine's result as a `BlockingOperation`."""

    def blocking(client: Any, /, *args: P.args, **kwargs: P.kwargs) -> BlockingOperation[R]:
        inner = client.inner

        def begun() -> Operation[R]:
            return started(inner.connection, method(inner, *args, **kwargs))

        return BlockingOperation(client.portal, client.portal.call(begun))

    return _named(blocking, method, lambda text: f"BlockingOperation[{text}]")


def streaming(
    method: Callable[Concatenate[Any, P], AsyncIterator[R]],
) -> Callable[Concatenate[Any, P], Iterator[R]]:
    """A method that yields what the async one yields; breaking off closes the stream."""

    def blocking(client: Any, /, *args: P.args, **kwargs: P.kwargs) -> Iterator[R]:
        inner = client.inner
        source = client.portal.call(lambda: method(inner, *args, **kwargs))
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
        inner = client.inner

        async def work() -> R:
            return await method(inner, *args, **kwargs)

        return await asyncio.wrap_future(client.portal.start(work()))

    named = _named(awaited, method)
    named.__name__ = f"{method.__name__}_async"
    return named


def _named(function: F, method: Callable[..., Any], result: Callable[[str], str] = str) -> F:
    """Give a function the method's name, text and signature, `self` included."""
    functools.update_wrapper(function, method)
    del function.__wrapped__  # type: ignore[attr-defined]
    signature = inspect.signature(method)
    first, *others = signature.parameters.values()
    itself = first.replace(name="self", kind=first.POSITIONAL_OR_KEYWORD)
    signature = signature.replace(parameters=[itself, *others])
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


async def _next(source: AsyncIterator[R]) -> R:
    return await anext(source)


async def _closed(source: AsyncIterator[Any]) -> None:
    close = getattr(source, "aclose", None)
    if close is not None:
        await close()
