"""The event writer: frames, keep-alive, back-pressure, and an end that frees its source."""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinker_mock.server.clock import ManualClock, RealClock
from tinker_mock.server.wire import sse


def read_events(body: bytes) -> list[dict[str, str]]:
    """A small reader by the rules of the standard."""
    found = []
    for block in body.decode().split("\n\n"):
        fields: dict[str, list[str]] = {}
        for line in block.split("\n"):
            name, _, value = line.partition(":")
            if name:
                fields.setdefault(name, []).append(value.removeprefix(" "))
        if fields:
            found.append({name: "\n".join(values) for name, values in fields.items()})
    return found


@given(st.text())
def test_any_text_comes_back_as_it_went(text: str) -> None:
    lines = text.replace("\r\n", "\n").replace("\r", "\n")
    assert read_events(sse.event(text, name="n", id="7")) == [
        {"event": "n", "id": "7", "data": lines}
    ]


def test_json_is_one_line_and_comments_stay_comments() -> None:
    assert sse.event({"a": "x\ny"}) == b'data: {"a":"x\\ny"}\n\n'
    assert sse.comment("still\nhere") == b": still here\n\n"


class Source:
    """Events on demand; remembers how far it got and whether it was closed."""

    def __init__(self, count: int, gate: asyncio.Event | None = None) -> None:
        self.count = count
        self.gate = gate
        self.made = 0
        self.closed = False

    async def events(self) -> AsyncIterator[bytes]:
        try:
            for number in range(self.count):
                if self.gate is not None:
                    await self.gate.wait()
                self.made += 1
                yield sse.event(number)
        finally:
            self.closed = True


def run(work: Coroutine[Any, Any, None]) -> None:
    asyncio.run(asyncio.wait_for(work, 20))


async def settle() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


def test_silence_is_broken_by_comments() -> None:
    async def work() -> None:
        clock = ManualClock()
        gate = asyncio.Event()
        source = Source(1, gate)
        stream = sse.kept_alive(source.events(), clock, 15.0)
        for _ in range(2):
            waiting = asyncio.ensure_future(anext(stream))
            await settle()
            assert not waiting.done()
            clock.advance(15.0)
            assert await waiting == sse.comment()
        gate.set()
        assert await anext(stream) == b"data: 0\n\n"
        assert await anext(stream, None) is None
        assert source.closed

    run(work())


def test_a_source_does_not_run_ahead_of_its_reader() -> None:
    async def work() -> None:
        source = Source(100)
        stream = sse.kept_alive(source.events(), RealClock(), 15.0)
        for taken in range(1, 4):
            await anext(stream)
            await settle()
            assert source.made <= taken + sse.AHEAD
        await stream.aclose()  # type: ignore[attr-defined]
        assert source.closed
        assert source.made < 100

    run(work())


def test_an_error_comes_after_everything_before_it() -> None:
    async def broken() -> AsyncIterator[bytes]:
        yield b"1"
        yield b"2"
        raise ValueError("upstream")

    async def work() -> None:
        stream = sse.kept_alive(broken(), RealClock())
        assert [await anext(stream), await anext(stream)] == [b"1", b"2"]
        with pytest.raises(ValueError, match="upstream"):
            await anext(stream)

    run(work())
