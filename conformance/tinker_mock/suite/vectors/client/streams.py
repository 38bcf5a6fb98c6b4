"""Server-sent events and token streams."""

from typing import Any

import httpx

from tinker_mock.client import ModelInput
from tinker_mock.client.config.presets import PYTHON_LATEST, TINKEX, Preset
from tinker_mock.client.http.sse import decoder_for, event_json
from tinker_mock.client.sampling.stream import StreamChunk, parse_chunk, stream_sample
from tinker_mock.suite.vectors.client.sampling import sampling_stage, with_sampler
from tinker_mock.suite.vectors.client.stage import Component, run
from tinker_mock.suite.vectors.comparison import Partial


def sse(given: Any, entry: Any) -> Any:
    """Both clients' columns, each under its preset."""
    if isinstance(given, list):
        return [event_json(text) for text in given]
    if "parsed" in entry["expected"]:
        events = _decode(given["chunks"], TINKEX)
        parsed = (event_json(event["data"]) for event in events)
        return {"parsed": [one for one in parsed if one not in (None, "")]}
    presets = {"tinkex": TINKEX, "python_sdk": PYTHON_LATEST}
    return {name: _decode(given["chunks"], presets[name]) for name in entry["expected"]}


def _decode(chunks: list[str], preset: Preset) -> list[dict[str, Any]]:
    decoder = decoder_for(preset)
    return [
        {"event": one.event, "data": one.data, "id": one.id, "retry": one.retry}
        for chunk in chunks
        for one in decoder.feed(chunk.encode())
    ]


def sample_stream(given: Any, entry: Any) -> Any:
    if "body" not in given:
        return {"event_type": parse_chunk(given).event_type}
    chunks = run(_streamed(given["body"]))
    if isinstance(entry["expected"], dict):
        return {"chunks": len(chunks), "last.finish_reason": chunks[-1].finish_reason}
    names = StreamChunk.__dataclass_fields__
    return [Partial({name: getattr(chunk, name) for name in names}) for chunk in chunks]


async def _streamed(body: str) -> list[StreamChunk]:
    stage = sampling_stage({})
    stage.script.add(
        "stream_sample",
        httpx.Response(200, content=body, headers={"content-type": "text/event-stream"}),
    )

    async def use(client: Any) -> list[StreamChunk]:
        return [chunk async for chunk in stream_sample(client, ModelInput.from_ints([1]))]

    found: list[StreamChunk] = await with_sampler(stage, use)
    assert len(stage.script.bodies("stream_sample")) == 1
    return found


COMPONENTS: dict[str, Component] = {"SSE": sse, "SampleStream": sample_stream}
