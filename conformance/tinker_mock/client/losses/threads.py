"""A user's own function in a thread of its own, so that the event loop goes on meanwhile."""

import asyncio
import contextvars
import threading
from collections.abc import Callable
from typing import Any, TypeVar

T = TypeVar("T")


async def in_thread(function: Callable[..., T], *arguments: Any) -> T:
    """The function's result, or its exception.

    Cancelled, it is no longer waited for; the thread ends when the function returns, and does not
    keep the program from ending.
    """
    loop = asyncio.get_running_loop()
    done: asyncio.Future[T] = loop.create_future()
    context = contextvars.copy_context()

    def settle(result: T | None, error: BaseException | None) -> None:
        if done.done():
            return
        if error is None:
            done.set_result(result)  # type: ignore[arg-type]
        else:
            done.set_exception(_settable(error))

    def work() -> None:
        try:
            outcome = context.run(function, *arguments), None
        except BaseException as error:
            outcome = None, error  # type: ignore[assignment]
        try:
            loop.call_soon_threadsafe(settle, *outcome)
        except RuntimeError:  # the loop was closed: nobody waits any more
            return

    threading.Thread(target=work, name="tinker-loss", daemon=True).start()
    return await done


def _settable(error: BaseException) -> BaseException:
    """A future refuses StopIteration, which a loss may well raise by mistake."""
    if isinstance(error, StopIteration):
        wrapped = RuntimeError(f"the function raised {error!r}")
        wrapped.__cause__ = error
        return wrapped
    return error
