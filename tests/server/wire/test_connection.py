"""Work ends with the client that waits for it, or with the server."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from tinker_mock.server.errors import GoingDown
from tinker_mock.server.settings import BodyLimits
from tinker_mock.server.wire.connection import ClientGone, Connection, ParkedWork
from tinker_mock.server.wire.intake import Intake


class Scene:
    """A connection whose client can hang up, and work that waits for ever."""

    def __init__(self) -> None:
        self.started, self.ended = asyncio.Event(), asyncio.Event()
        self.hang_up = asyncio.Event()
        self.parked = ParkedWork()
        self.connection = Connection(self.receive, self.parked, Intake(BodyLimits()))

    async def receive(self) -> dict[str, Any]:
        await self.hang_up.wait()
        return {"type": "http.disconnect"}

    async def work(self) -> str:
        self.started.set()
        try:
            await asyncio.Event().wait()
        finally:
            self.ended.set()
        return "done"


def on_scene(test: Callable[[Scene], Awaitable[None]]) -> Callable[[], None]:
    def run() -> None:
        async def main() -> None:
            scene = Scene()
            async with scene.connection:
                await test(scene)

        asyncio.run(main())

    run.__name__ = test.__name__
    return run


@on_scene
async def test_a_client_that_hangs_up_ends_the_work(scene: Scene) -> None:
    task = asyncio.ensure_future(scene.connection.wait_for(scene.work()))
    await scene.started.wait()
    scene.hang_up.set()
    with pytest.raises(ClientGone):
        await task
    assert scene.ended.is_set()
    assert len(scene.parked) == 0


@on_scene
async def test_a_client_that_is_gone_stays_gone(scene: Scene) -> None:
    scene.hang_up.set()
    for _ in range(2):
        with pytest.raises(ClientGone):
            await scene.connection.wait_for(scene.work())


@on_scene
async def test_what_is_done_at_once_needs_no_client(scene: Scene) -> None:
    async def quick() -> str:
        return "done"

    scene.hang_up.set()
    assert await scene.connection.wait_for(quick()) == "done"


@on_scene
async def test_a_server_that_goes_down_ends_what_waits(scene: Scene) -> None:
    task = asyncio.ensure_future(scene.connection.wait_for(scene.work()))
    await scene.started.wait()
    assert len(scene.parked) == 1
    scene.parked.wake()
    with pytest.raises(GoingDown):
        await task
    assert scene.ended.is_set()


@on_scene
async def test_a_failure_is_the_work_s_own(scene: Scene) -> None:
    async def broken() -> None:
        await asyncio.sleep(0)
        raise KeyError("x")

    with pytest.raises(KeyError):
        await scene.connection.wait_for(broken())
