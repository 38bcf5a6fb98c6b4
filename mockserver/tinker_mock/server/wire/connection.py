"""The client's end of a request: its body, its leaving, and the work that waits for it.

The one place where work is raced against a client that hangs up and a server that goes down.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from tinker_mock.server.errors import GoingDown
from tinker_mock.server.wire.deadlines import Transfer
from tinker_mock.server.wire.exchange import Message, Receive, Send
from tinker_mock.server.wire.intake import Intake, Load, TooSlow

T = TypeVar("T")
Watch = Callable[[], asyncio.Future[None]]


class ClientGone(Exception):
    """The client closed the connection before its request was answered."""


class ParkedWork:
    """Work that clients wait for right now; a server that goes down ends it."""

    def __init__(self) -> None:
        self._waits: set[_Wait] = set()

    def __len__(self) -> int:
        return len(self._waits)

    def wake(self) -> None:
        """End all of it: the server is going down."""
        for wait in list(self._waits):
            wait.end(_going_down())

    async def finish(self, work: Awaitable[T], watch: Watch | None = None) -> T:
        """What the work comes to. Raises ClientGone when the future that `watch` gives is done
        before, GoingDown when the server is."""
        wait = _Wait(watch)
        reason = None
        self._waits.add(wait)
        try:
            return await work
        except BaseException as error:
            reason = wait.reason_for(error)
            if reason is None:
                raise
            raise reason from None
        finally:
            del reason  # it remembers this frame
            self._waits.discard(wait)
            wait.over()


class _Wait:
    """The current task, waiting for work: it is cancelled when there is a reason to stop."""

    __slots__ = ("_before", "_begin", "_is_over", "_reason", "_task", "_watch", "_watched")

    def __init__(self, watch: Watch | None) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._task = task
        self._before = task.cancelling()
        self._reason: Exception | None = None
        self._is_over = False
        self._watch = watch
        self._watched: asyncio.Future[None] | None = None
        # What is done at once needs nobody to watch the client.
        self._begin = watch and asyncio.get_running_loop().call_soon(self._look)

    def end(self, reason: Exception) -> None:
        """The work is to stop, and this is why."""
        if self._reason is None and not self._is_over:
            self._reason = reason
            self._task.cancel()

    def reason_for(self, error: BaseException) -> Exception | None:
        """Why the work ended with this error; None where it is the work's own, or the task's."""
        if self._reason is not None:
            self._task.uncancel()
        if not isinstance(error, asyncio.CancelledError):
            return self._reason
        if self._task.cancelling() > self._before:
            return None
        return self._reason or _going_down()  # only then is work taken away from who waits for it

    def over(self) -> None:
        """Nobody waits any more."""
        self._is_over = True
        self._reason = None
        if self._begin is not None:
            self._begin.cancel()
        if self._watched is not None:
            self._watched.remove_done_callback(self._gone)

    def _look(self) -> None:
        assert self._watch is not None
        self._watched = self._watch()
        self._watched.add_done_callback(self._gone)

    def _gone(self, _: object) -> None:
        self.end(ClientGone())


def _going_down() -> GoingDown:
    return GoingDown("the server is shutting down", fix="repeat the request")


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
        gone, self._gone = self._gone, None  # what ends it remembers the connection
        if gone is not None:
            await _ended(gone)

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

    def sending(self, send: Send) -> Send:
        """`send`, which gives up on clients that have left, or do not take what they asked for
        (ClientGone)."""
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
            except ConnectionError:
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
