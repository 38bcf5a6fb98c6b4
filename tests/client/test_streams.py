"""Server-sent events: the WHATWG rules, however the bytes are cut."""

from itertools import pairwise

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.client.conftest import SESSION, ScriptedServer, config
from tinker_mock.client import AsyncServiceClient, ManualClock, ModelInput, RequestFailedError
from tinker_mock.client.http.sse import SseDecoder, SseEvent
from tinker_mock.client.sampling.stream import stream_sample

pytestmark = pytest.mark.anyio

STREAM = (
    "\ufeff: a comment\n\n"
    "data: first\r\ndata:second\r\n\r\n"
    "event: custom\nid: 7\rretry: 250\r\rdata\n\n"
    "id: bad\0id\ndata:  spaced ☃\n\n"
    "event: nothing without data\n\n"
    "retry: 1x\nunknown: field\ndata: last\n\n"
    "data: unfinished"
).encode()


def decode(*pieces: bytes) -> list[SseEvent]:
    decoder = SseDecoder()
    return [event for piece in pieces for event in decoder.feed(piece)]


def test_a_stream_is_read_by_the_rules() -> None:
    assert decode(STREAM) == [
        SseEvent("first\nsecond"),
        SseEvent("", None, "7"),
        SseEvent(" spaced ☃", None, "7"),
        SseEvent("last", None, "7"),
    ]


@given(st.lists(st.integers(0, len(STREAM)), max_size=12))
def test_any_cut_gives_the_same_events(cuts: list[int]) -> None:
    ends = [0, *sorted(cuts), len(STREAM)]
    pieces = [STREAM[a:b] for a, b in pairwise(ends)]
    assert decode(*pieces) == decode(STREAM)
    assert decode(*(bytes([byte]) for byte in STREAM)) == decode(STREAM)


@given(st.binary(max_size=200))
def test_no_bytes_break_the_decoder(noise: bytes) -> None:
    found = decode(noise, b"\n\ndata: after\n\n")
    assert found
    assert found[-1].data.endswith("after")


async def streamed(body: str, status: int = 200) -> list[str | None]:
    server = ScriptedServer(
        {
            **SESSION,
            "create_sampling_session": {"sampling_session_id": "s:sample:0"},
            "stream_sample": httpx.Response(status, content=body.encode()),
        }
    )
    async with AsyncServiceClient(config(), http=server, clock=ManualClock()) as service:
        client = await service.create_sampling_client("base")
        chunks = [chunk async for chunk in stream_sample(client, ModelInput.from_ints([1]))]
    return [chunk.token or chunk.finish_reason for chunk in chunks]


async def test_tokens_come_one_by_one_and_errors_end_the_stream() -> None:
    token = 'data: {"token": "a", "token_id": 1, "index": 0}\n\n'
    done = 'data: {"finish_reason": "stop", "total_tokens": 1}\n\n'
    assert await streamed(token + ": ping\n\ndata: [DONE]\n\n" + done) == ["a", "stop"]
    with pytest.raises(RequestFailedError, match="out of memory"):
        await streamed(token + 'data: {"error": "out of memory"}\n\n')
