"""Text streams on their way out: the first event, quirks of the wire, errors in the middle."""

from collections.abc import AsyncIterator, Mapping

from tinker_mock.server.clock import Clock
from tinker_mock.server.errors import ServiceError
from tinker_mock.server.text.error_shapes import ANTHROPIC, api_of, error_body
from tinker_mock.server.text.quirks import json_line
from tinker_mock.server.wire import sse
from tinker_mock.server.wire.exchange import Answer, Exchange

JSON_LINES = "application/x-ndjson"


def kimi_quirk(exchange: Exchange) -> str | None:
    """The Kimi quirk that is switched on."""
    effect = exchange.effect("kimi")
    return None if effect is None else effect.variant


async def answer(
    exchange: Exchange,
    clock: Clock,
    events: AsyncIterator[bytes],
    headers: Mapping[str, str],
    *,
    json_lines: bool = False,
) -> Answer:
    """The streaming answer.

    The first event is made before the status goes out, so that a request that cannot be served
    is refused and not begun.
    """
    first = await anext(events)
    source = _guarded(exchange, first, events)
    if json_lines:
        source = _as_lines(source)
    streamed = sse.stream_answer(source, clock, headers=headers)
    if json_lines:
        streamed.content_type = JSON_LINES
    return streamed


async def _guarded(
    exchange: Exchange, first: bytes, events: AsyncIterator[bytes]
) -> AsyncIterator[bytes]:
    """The events; an error in their middle becomes the API's own error event, and the end."""
    breaking = exchange.effect("break-stream")
    left = breaking.events if breaking is not None else None
    try:
        if left != 0:
            yield first
        async for event in events:
            left = None if left is None else left - 1
            if left == 0:
                break
            yield event
        else:
            return
        yield error_event(exchange.path, 500, "the model failed in the middle of its answer")
    except ServiceError as error:
        yield error_event(exchange.path, error.status, error.message)
    finally:
        close = getattr(events, "aclose", None)
        if close is not None:
            await close()


async def _as_lines(events: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    async for event in events:
        if line := json_line(event):
            yield line


def error_event(path: str, status: int, message: str) -> bytes:
    """An error inside a stream, in the form of the path's API."""
    api = api_of(path) or ""
    body = error_body(api, status, message, {})
    return sse.event(body, name="error" if api == ANTHROPIC else None)
