"""Requests begin in turns of their connections, where a server hands over all that have arrived.

An HTTP/2 connection may bring thousands at once, and the event loop would begin all of them before
it looks at anybody else's.
"""

import asyncio
from collections import OrderedDict, deque
from typing import Any

AT_ONCE = 16
"""Requests that begin in one turn of the event loop."""


class Admission:
    """An ASGI app around another one."""

    def __init__(self, app: Any) -> None:
        self._app = app
        self._begun = 0
        self._waiting: OrderedDict[Any, deque[asyncio.Future[None]]] = OrderedDict()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            await self._turn(scope.get("client"))
        await self._app(scope, receive, send)

    async def _turn(self, connection: Any) -> None:
        loop = asyncio.get_running_loop()
        if not self._waiting and self._begun < AT_ONCE:
            if not self._begun:
                loop.call_soon(self._next)
            self._begun += 1
            return
        turn = loop.create_future()
        self._waiting.setdefault(connection, deque()).append(turn)
        await turn

    def _next(self) -> None:
        """Let the next ones begin, one of each connection in turn."""
        self._begun = 0
        while self._waiting and self._begun < AT_ONCE:
            connection, turns = self._waiting.popitem(last=False)
            turn = turns.popleft()
            if turns:
                self._waiting[connection] = turns
            if not turn.done():
                turn.set_result(None)
                self._begun += 1
        if self._begun:
            asyncio.get_running_loop().call_soon(self._next)
