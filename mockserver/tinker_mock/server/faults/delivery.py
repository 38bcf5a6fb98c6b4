"""How an answer reaches the client when something is wrong with the way there."""

import random
from collections.abc import AsyncIterator

from tinker_mock.server.clock import Clock
from tinker_mock.server.effects import Effect, Step
from tinker_mock.server.faults.connection import cut
from tinker_mock.server.ids import draw
from tinker_mock.server.wire.exchange import Answer, Send

NO_START = 0x07  # wire type 7 does not exist, and no JSON text starts with BEL
DRIBBLE = 10  # pieces per second of a slow body


async def deliver(answer: Answer, step: Step, send: Send, clock: Clock, luck: str) -> None:
    """Send `answer` under the effects of `step`. `luck` seeds what bytes are corrupted."""
    effects = {effect.kind: effect for effect in step}
    if "hold" in effects:
        await clock.sleep(effects["hold"].seconds)
    if "lose" in effects:
        cut(reset=bool(effects["lose"].variant))
        return
    if answer.stream is None:
        _spoil(answer, effects, luck)
    elif "slow-events" in effects:
        answer.stream = _paced(answer.stream, effects["slow-events"].seconds, clock)
    ending = effects.get("cut") or effects.get("reset-after")
    if ending is not None or "slow" in effects:
        await _piecewise(answer, ending, effects.get("slow"), send, clock)
    else:
        await answer.send(send)


def _spoil(answer: Answer, effects: dict[str, Effect], luck: str) -> None:
    body = answer.encoded()
    if "truncate" in effects:
        body = body[: effects["truncate"].size]
    if "corrupt" in effects and body:
        body = corrupted(body, luck)
    answer.content = body


def corrupted(body: bytes, luck: str) -> bytes:
    """The body with its first byte and about one in 32 others changed; a function of `luck`.

    The first byte becomes one that starts neither JSON nor a protobuf message, so that the damage
    can be noticed.
    """
    chance = random.Random(draw("corrupt", luck))
    spoiled = bytearray(body)
    for position in chance.sample(range(len(body)), len(body) // 32):
        spoiled[position] ^= chance.randrange(1, 256)
    spoiled[0] = NO_START
    return bytes(spoiled)


async def _paced(
    stream: AsyncIterator[bytes], seconds: float, clock: Clock
) -> AsyncIterator[bytes]:
    async for event in stream:
        await clock.sleep(seconds)
        yield event


async def _piecewise(
    answer: Answer, ending: Effect | None, slow: Effect | None, send: Send, clock: Clock
) -> None:
    """Send in pieces, at a pace, and hang up where the effect says so."""
    await send(answer.start_message())
    left = ending.size if ending is not None and not ending.events else None
    events = ending.events if ending is not None and ending.events else None
    async for piece in _pieces(answer, slow, clock):
        kept = piece if left is None else piece[:left]
        await send({"type": "http.response.body", "body": kept, "more_body": True})
        left = None if left is None else left - len(kept)
        events = None if events is None else events - 1
        if left == 0 or events == 0:
            break
    if ending is not None:
        cut(reset=ending.kind == "reset-after")
    else:
        await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _pieces(answer: Answer, slow: Effect | None, clock: Clock) -> AsyncIterator[bytes]:
    source = answer.stream if answer.stream is not None else _whole(answer.encoded())
    async for chunk in source:
        if slow is None:
            yield chunk
            continue
        size = max(1, slow.size // DRIBBLE)
        for start in range(0, len(chunk), size):
            piece = chunk[start : start + size]
            await clock.sleep(len(piece) / slow.size)
            yield piece


async def _whole(body: bytes) -> AsyncIterator[bytes]:
    yield body
