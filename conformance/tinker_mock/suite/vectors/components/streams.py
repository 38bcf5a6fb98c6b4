"""Streams of the client: server-sent events, and samples that come token by token."""

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import httpx

from tinker_mock.client import PRESETS, AsyncServiceClient, ClientConfig, ManualClock, ModelInput
from tinker_mock.client.config import Environment
from tinker_mock.client.errors import ApiConnectionError
from tinker_mock.client.http.sse import decoder_for, event_json
from tinker_mock.client.sampling.stream import StreamChunk, parse_chunk, stream_sample
from tinker_mock.suite.vectors.comparison import Component, Partial

TINKEX = "tinkex"
COLUMNS = {"tinkex": TINKEX, "python_sdk": "python-latest"}
"""The preset that speaks for each original client."""

SESSION: dict[str, Any] = {
    "create_session": {"session_id": "s"},
    "create_sampling_session": {"sampling_session_id": "s:sample:0"},
}


def sse(given: Any, entry: Mapping[str, Any]) -> Any:
    """Data as JSON where it is JSON; or the events of a stream, for each client's column."""
    if isinstance(given, list):
        return [event_json(text) for text in given]
    if "parsed" in entry["expected"]:
        parsed = (event_json(event["data"]) for event in _events(given["chunks"], TINKEX))
        return {"parsed": [one for one in parsed if one not in (None, "")]}
    return {column: _events(given["chunks"], preset) for column, preset in COLUMNS.items()}


def _events(chunks: list[str], preset: str) -> list[dict[str, Any]]:
    decoder = decoder_for(PRESETS[preset])
    return [
        {"event": one.event, "data": one.data, "id": one.id, "retry": one.retry}
        for chunk in chunks
        for one in decoder.feed(chunk.encode())
    ]


def sample_stream(given: Any, entry: Mapping[str, Any]) -> Any:
    """One event's kind, or what a sampling client makes of a whole answer."""
    if "body" not in given:
        return {"event_type": parse_chunk(given).event_type}
    chunks = asyncio.run(_streamed(given["body"]))
    if isinstance(entry["expected"], dict):
        return {"chunks": len(chunks), "last.finish_reason": chunks[-1].finish_reason}
    names = StreamChunk.__dataclass_fields__
    return [Partial({name: getattr(chunk, name) for name in names}) for chunk in chunks]


async def _streamed(body: str) -> list[StreamChunk]:
    def answer(request: httpx.Request) -> httpx.Response:
        path = request.url.path.removeprefix("/api/v1/")
        if path == "stream_sample":
            return httpx.Response(200, text=body, headers={"content-type": "text/event-stream"})
        return httpx.Response(200, json=SESSION.get(path, {}))

    config = ClientConfig.resolve(
        environment=Environment(), preset=TINKEX, api_key="tml-vectors", base_url="https://server"
    )
    async with AsyncServiceClient(
        config, http=httpx.MockTransport(answer), clock=ManualClock()
    ) as service:
        client = await service.create_sampling_client("base")
        chunks: list[StreamChunk] = []
        # A body that breaks off is an error after its last chunk; the vectors are about chunks.
        with suppress(ApiConnectionError):
            async for chunk in stream_sample(client, ModelInput.from_ints([1])):
                chunks.append(chunk)
        return chunks


COMPONENTS: dict[str, Component] = {"SSE": sse, "SampleStream": sample_stream}
