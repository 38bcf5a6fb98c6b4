"""Samples as they are drawn: `POST stream_sample`, one token per event."""

from collections.abc import AsyncIterator, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from tinker_mock.client.errors import ApiConnectionError, Category, RequestFailedError
from tinker_mock.client.http.call import Call
from tinker_mock.client.http.sse import SseEvent, decoder_for, event_json
from tinker_mock.client.session.connection import Connection
from tinker_mock.client.types.model_input import ModelInput
from tinker_mock.client.types.parameters import SamplingParams

EventType = Literal["token", "done", "error"]


@dataclass(frozen=True, slots=True)
class StreamChunk:
    """One event of a stream. The last one has a `finish_reason` and `total_tokens`."""

    token: str | None = None
    token_id: int | None = None
    index: int | None = None
    finish_reason: str | None = None
    total_tokens: int | None = None
    logprob: float | None = None
    event_type: EventType = "token"


def parse_chunk(body: Mapping[str, Any]) -> StreamChunk:
    """A chunk from an event's JSON: done if it has a finish reason, else error, else token."""
    kind: EventType = (
        "done" if body.get("finish_reason") is not None else "error" if "error" in body else "token"
    )
    names = ("token", "token_id", "index", "finish_reason", "total_tokens", "logprob")
    return StreamChunk(**{name: body.get(name) for name in names}, event_type=kind)


def parse_events(events: Iterable[SseEvent]) -> list[tuple[StreamChunk, Any]]:
    """The chunks of events with their JSON. What is no JSON object (`[DONE]`, pings) is skipped."""
    bodies = (event_json(event.data) for event in events)
    return [(parse_chunk(body), body) for body in bodies if isinstance(body, dict)]


class Sampler(Protocol):
    """What a stream needs of a sampling client."""

    connection: Connection
    sampling_session_id: str

    def next_number(self) -> int: ...


async def stream_sample(
    client: Sampler, prompt: ModelInput, params: SamplingParams | None = None
) -> AsyncIterator[StreamChunk]:
    """Draw one sample and yield each token when it comes.

    A stream is not retried: tokens already shown cannot be taken back. Raises
    `RequestFailedError` for an error event, `ApiConnectionError` for a stream without its end.
    """
    connection = client.connection
    body = {
        "sampling_session_id": client.sampling_session_id,
        "seq_id": client.next_number(),
        "prompt": prompt,
        "sampling_params": params or SamplingParams(),
        "num_samples": 1,
        "type": "sample",
    }
    call = Call(
        "POST",
        "/api/v1/stream_sample",
        json=connection.encode(body),
        accept="text/event-stream",
        pool="sampling",
    )
    decoder = decoder_for(connection.preset)
    finished = False
    async for piece in connection.transport.stream(call):
        for chunk, event in parse_events(decoder.feed(piece)):
            if chunk.event_type == "error":
                raise RequestFailedError(str(event.get("error")), category=Category.SERVER)
            finished = finished or chunk.event_type == "done"
            yield chunk
    if not finished:
        raise ApiConnectionError(
            "the stream ended without its last event: the sample is not complete",
            category=Category.SERVER,
        )
