"""Whoever brings a thousand requests at once waits for others between them."""

import asyncio
from typing import Any

from tinker_mock.server.serving.admission import AT_ONCE, Admission


def test_connections_take_turns() -> None:
    begun: list[tuple[str, int]] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        begun.append(scope["client"])

    async def play() -> None:
        admission = Admission(app)

        def ask(client: str, number: int) -> asyncio.Task[None]:
            scope = {"type": "http", "client": (client, number and 1)}
            return asyncio.create_task(admission(scope, None, None))

        many = [ask("many", 1) for _ in range(1000)]
        await asyncio.sleep(0)
        one = ask("one", 1)
        given_up = many.pop()
        given_up.cancel()
        await asyncio.gather(*many, one)

    asyncio.run(play())
    assert len(begun) == 1000
    assert begun.index(("one", 1)) < 4 * AT_ONCE
