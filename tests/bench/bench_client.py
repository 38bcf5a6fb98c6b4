"""The reference client against named peers: protobuf against JSON, events, and one whole call.

make bench BENCH=client    (or: python tests/bench/bench_client.py)
"""

import asyncio
import json
import time
from collections.abc import Callable

import httpx
import orjson
from openai._streaming import SSEDecoder as OpenAIDecoder

from tinker_mock.client import ClientConfig, Datum, ModelInput
from tinker_mock.client.config import Environment
from tinker_mock.client.http.call import Call
from tinker_mock.client.http.sse import SseDecoder
from tinker_mock.client.http.transport import Transport
from tinker_mock.client.types.json import encode
from tinker_mock.client.types.protobuf import forward_backward_request


def best_of(work: Callable[[], object], rounds: int = 7) -> float:
    """Milliseconds of the fastest round."""
    times = []
    for _ in range(rounds):
        begin = time.perf_counter()
        work()
        times.append(time.perf_counter() - begin)
    return min(times) * 1e3


def line(what: str, ours: float, peer: str, theirs: float) -> None:
    print(f"{what}: {ours:8.2f} ms; {peer}: {theirs:8.2f} ms; ratio {theirs / ours:5.2f}")


def bench_bodies() -> None:
    """A batch of 256 data of 512 tokens."""
    tokens = list(range(512))
    weights = [1.0] * 512
    data = [
        Datum.of(ModelInput.from_ints(tokens), target_tokens=tokens, weights=weights)
        for _ in range(256)
    ]

    def protobuf() -> bytes:
        return forward_backward_request(
            data,
            model_id="m",
            seq_id=1,
            loss_fn="cross_entropy",
            loss_fn_config=None,
            forward_only=False,
        )

    body = encode({"data": data})
    line("protobuf body", best_of(protobuf), "json.dumps", best_of(lambda: json.dumps(body)))
    line(
        "orjson body  ",
        best_of(lambda: orjson.dumps(encode({"data": data}))),
        "json.dumps",
        best_of(lambda: json.dumps(body)),
    )
    print(f"sizes: protobuf {len(protobuf()):,} B, JSON {len(orjson.dumps(body)):,} B")


def bench_events() -> None:
    """20,000 token events, in pieces of 4 kB."""
    stream = b'event: token\ndata: {"token": "a", "token_id": 1, "index": 0}\n\n' * 20_000
    pieces = [stream[at : at + 4096] for at in range(0, len(stream), 4096)]

    def ours() -> int:
        decoder = SseDecoder()
        return sum(len(decoder.feed(piece)) for piece in pieces)

    def theirs() -> int:
        return sum(1 for _ in OpenAIDecoder().iter_bytes(iter(pieces)))

    assert ours() == theirs() == 20_000
    line("events", best_of(ours, 3), "openai's decoder", best_of(theirs, 3))


async def bench_calls() -> None:
    """500 calls of the transport (headers, retries, events) against bare httpx."""

    async def answer(_request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, json={"ok": True})

    http = httpx.MockTransport(answer)
    config = ClientConfig.resolve(
        environment=Environment(), api_key="tml-bench", base_url="http://server"
    )
    call = Call("POST", "/api/v1/x", json={"a": 1})
    times = []
    async with Transport(config, http=http) as transport, httpx.AsyncClient(transport=http) as bare:
        for send in (
            lambda: transport.send(call),
            lambda: bare.post("http://server/api/v1/x", json={"a": 1}),
        ):
            begin = time.perf_counter()
            for _ in range(500):
                await send()
            times.append((time.perf_counter() - begin) * 1e3)
    line("500 calls", times[0], "bare httpx", times[1])


def main() -> None:
    bench_bodies()
    bench_events()
    asyncio.run(bench_calls())


if __name__ == "__main__":
    main()
