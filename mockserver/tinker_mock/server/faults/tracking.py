"""Connections that faults can find and cut, behind uvicorn."""

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from tinker_mock.server.faults.connection import current

App = Callable[[MutableMapping[str, Any], Any, Any], Awaitable[None]]


def tracked(app: App) -> App:
    """The app behind uvicorn, whose `send` belongs to a request cycle with a transport."""

    async def remember(scope: MutableMapping[str, Any], receive: Any, send: Any) -> None:
        current.set(getattr(getattr(send, "__self__", None), "transport", None))
        await app(scope, receive, send)

    return remember
