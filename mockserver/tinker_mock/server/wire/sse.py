"""Server-sent events: how one is written, and how a stream stays alive without running ahead.

A handler gives an async iterator of event bytes; one item is one event is one flush. The pump
takes at most `AHEAD` events from the source before the client has taken them, so a slow reader
slows generation down, and closing the stream closes the source: a generator's `finally` frees
its lane whether it ended, failed or lost its client.
"""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import suppress
from typing import Any

import orjson

from tinker_mock.server.clock import Clock
from tinker_mock.server.wire.exchange import EVENT_STREAM, Answer

HEADERS: Mapping[str, str] = {"cache-control": "no-cache", "x-accel-buffering": "no"}
KEEP_ALIVE = 15.0
AHEAD = 4
DONE = b"data: [DONE]\n\n"


def event(data: Any, *, name: str | None = None, id: str | None = None) -> bytes:
    """One event. `data` is a JSON value, or text that is sent as it is (one `data:` a line)."""
    if isinstance(data, str):
        lines = data.replace("\r\n", "\n").replace("\r", "\n").split("\n")
        body = b"".join(b"data: " + line.encode() + b"\n" for line in lines)
    else:
        body = b"data: " + orjson.dumps(data) + b"\n"
    head = b"" if name is None else b"event: " + name.encode() + b"\n"
    if id is not None:
        head += b"id: " + id.encode() + b"\n"
    return head + body + b"\n"


def comment(text: str = "keep-alive") -> bytes:
    """A comment line, which every client must skip."""
    return b": " + text.replace("\n", " ").encode() + b"\n\n"


def stream_answer(
    source: AsyncIterator[bytes],
    clock: Clock,
    *,
    keep_alive: float = KEEP_ALIVE,
    headers: Mapping[str, str] | None = None,
) -> Answer:
    """The streaming answer around `source`: headers, keep-alive comments, back-pressure."""
    return Answer(
        content_type=EVENT_STREAM,
        headers={**HEADERS, **(headers or {})},
        stream=kept_alive(source, clock, keep_alive),
    )


class _Pump:
    """Runs the source in its own task, at most `AHEAD` events before its reader."""

    def __init__(self, source: AsyncIterator[bytes]) -> None:
        self.source = source
        self.events: deque[bytes] = deque()
        self.ready = asyncio.Event()
        self.room = asyncio.Event()
        self.ended = False
        self.error: BaseException | None = None

    async def run(self) -> None:
        try:
            async for chunk in self.source:
                self.events.append(chunk)
                self.ready.set()
                while len(self.events) >= AHEAD:
                    self.room.clear()
                    await self.room.wait()
        except Exception as error:  # handed to the reader, in order, after what came before it
            self.error = error
        finally:
            self.ended = True
            self.ready.set()
            if isinstance(self.source, AsyncGenerator):
                await self.source.aclose()


async def kept_alive(
    source: AsyncIterator[bytes], clock: Clock, interval: float = KEEP_ALIVE
) -> AsyncIterator[bytes]:
    """The source's events, with a comment whenever it was silent for `interval` seconds."""
    pump = _Pump(source)
    task = asyncio.create_task(pump.run())
    try:
        while True:
            while pump.events:
                chunk = pump.events.popleft()
                pump.room.set()
                yield chunk
            if pump.ended:
                break
            pump.ready.clear()
            if not await clock.wait_for(pump.ready, interval):
                yield comment()
        if pump.error is not None:
            raise pump.error
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
