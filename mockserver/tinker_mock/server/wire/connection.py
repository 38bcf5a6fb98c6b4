"""The client's end of a request: its body, its leaving, and the work that waits for it.

The one place where work is raced against a client that hangs up and a server that goes down.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from tinker_mock.server.errors import GoingDown
from tinker_mock.server.wire.deadlines import Transfer
from tinker_mock.server.wire.exchange import Answer, Message, Receive, Send
from tinker_mock.server.wire.intake import Intake, Load, TooSlow

T = TypeVar("T")
Watch = Callable[[], asyncio.Future[None]]


SMALL = 16 * 1024


class ClientGone(Exception):
    """The client closed the connection before its request was answered."""


class ParkedWork:
    """Work that clients wait for right now; a server that goes down ends it."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Future[Any]] = set()

    def __len__(self) -> int:
        return len(self._tasks)

    def wake(self) -> None:
        """End all of it: the server is going down."""
        for task in list(self._tasks):
            task.cancel()

    async def finish(self, work: Awaitable[T], watch: Watch | None = None) -> T:
        """What the work comes to. Raises ClientGone when the future that `watch` gives is done
        before, GoingDown when the server is."""
        task = asyncio.ensure_future(work)
        try:
            await asyncio.sleep(0)  # what is done at once needs nobody to watch the client
            if not task.done():
                self._tasks.add(task)
                ends: set[asyncio.Future[Any]] = {task} if watch is None else {task, watch()}
                await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
            if not task.done():
                raise ClientGone
            if task.cancelled():
                raise GoingDown("the server is shutting down", fix="repeat the request")
            return task.result()
        finally:
            self._tasks.discard(task)
            await _ended(task)


class Connection:
    """One request's. Use as an async context manager."""

    def __init__(self, receive: Receive, parked: ParkedWork, intake: Intake) -> None:
        self._receive = receive
        self._parked = parked
        self._intake = intake
        self._load = Load()
        self.stalled = False
        """The client stopped to take its answer."""
        self._gone: asyncio.Future[None] | None = None

    async def __aenter__(self) -> Connection:
        return self

    async def __aexit__(self, *_: object) -> None:
        self._intake.release(self._load)
        if self._gone is not None:
            await _ended(self._gone)

    async def body(self, declared: str = "") -> bytes:
        """The whole body; `declared` is its Content-Length.

        Raises ClientGone, TooLarge, TooSlow, or TooManyRequests while others fill the server.
        """
        self._intake.refuse_declared(declared)
        deadlines = self._intake.deadlines
        reading = deadlines.begin()
        try:
            return await self._read(reading)
        except asyncio.CancelledError:
            if not reading.ended_late():
                raise
            raise TooSlow(
                f"body: {reading.size} bytes came within {deadlines.allowed(reading):g} s, "
                "and it is not whole",
                rule=f"{deadlines.patience:g} s, and one more for every 64 KiB",
                fix="send the body at once, or serve with a greater --read-timeout",
            ) from None
        finally:
            deadlines.end(reading)

    async def _read(self, reading: Transfer) -> bytes:
        chunks: list[bytes] = []
        while True:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                raise ClientGone
            chunk = message.get("body", b"")
            if chunk:
                chunks.append(chunk)
                reading.size += len(chunk)
                self.hold(len(chunk), reading.size)
            if not message.get("more_body", False):
                return chunks[0] if len(chunks) == 1 else b"".join(chunks)

    def sending(self, answer: Answer, send: Send) -> Send:
        """`send`, which gives up on clients that do not take what they asked for (ClientGone)."""
        content = answer.content
        if answer.stream is None and content is not None and len(content) <= SMALL:
            return send  # what the socket's buffers take in any case
        deadlines = self._intake.deadlines

        async def patient(message: Message) -> None:
            transfer = deadlines.begin(len(message.get("body", b"")))
            try:
                await send(message)
            except asyncio.CancelledError:
                if not transfer.ended_late():
                    raise
                self.stalled = True
                raise ClientGone from None
            finally:
                deadlines.end(transfer)

        return patient

    def hold(self, more: int, size: int) -> None:
        """Count `more` bytes of a body that now has `size`; raises TooLarge or TooManyRequests."""
        if size > self._intake.most:
            raise self._intake.too_large()
        self._intake.take(self._load, more)

    def take(self, more: int) -> None:
        """Count what becomes of the body in memory; raises TooManyRequests."""
        self._intake.take(self._load, more)

    async def wait_for(self, work: Awaitable[T]) -> T:
        """What the work comes to; it ends with its client (ClientGone) or server (GoingDown).

        The body must have been read: what arrives now can only be the end of the connection.
        """
        return await self._parked.finish(work, self._watch)

    def _watch(self) -> asyncio.Future[None]:
        if self._gone is None:
            self._gone = asyncio.ensure_future(self._hung_up())
        return self._gone

    async def _hung_up(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass


async def _ended(task: asyncio.Future[Any]) -> None:
    if not task.done():
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
