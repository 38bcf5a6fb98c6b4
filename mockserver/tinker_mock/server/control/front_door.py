"""What a browser finds at the address that the mock prints: the inspector."""

from collections.abc import Mapping
from typing import Any

from tinker_mock.server.wire.exchange import Answer, App, Receive, Send

INSPECTOR = "/_mock/ui"


class FrontDoor:
    """Sends browsers that ask for `/` to the inspector; everything else goes on to `others`."""

    def __init__(self, others: App) -> None:
        self.others = others

    async def __call__(self, scope: Mapping[str, Any], receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["method"] == "GET" and scope["path"] == "/":
            accept = dict(scope["headers"]).get(b"accept", b"")
            if b"text/html" in accept:
                await Answer(307, headers={"location": INSPECTOR}, content=b"").send(send)
                return
        await self.others(scope, receive, send)
