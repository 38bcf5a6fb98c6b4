"""The beginning and the end of an ASGI app, told to it by whoever serves it."""

import asyncio
from typing import Any

from tinker_mock.server.wire.exchange import App, Message


class Lifespan:
    """Of one app. `state` is what the app keeps for its requests."""

    def __init__(self, app: App) -> None:
        self.state: dict[str, Any] = {}
        self._told: asyncio.Queue[Message] = asyncio.Queue()
        self._answer: asyncio.Future[str]
        scope = {"type": "lifespan", "asgi": {"spec_version": "2.0", "version": "3.0"}}
        alive = app({**scope, "state": self.state}, self._told.get, self._answered)
        self._task = asyncio.ensure_future(alive)

    async def start(self) -> None:
        """Return once the app is ready. Raises what keeps it from that."""
        await self._tell("lifespan.startup")

    async def end(self) -> None:
        """Return once the app has ended. Raises what it could not do."""
        await self._tell("lifespan.shutdown")
        await self._task

    async def _tell(self, what: str) -> None:
        self._answer = asyncio.get_running_loop().create_future()
        self._told.put_nowait({"type": what})
        either: set[asyncio.Future[Any]] = {self._task, self._answer}
        await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        if self._task.done() or self._answer.result() == f"{what}.failed":
            await self._task

    async def _answered(self, message: Message) -> None:
        self._answer.set_result(message["type"])
