"""100 concurrent streams of 200 tokens: events a second and time to the first event.

Beside aimock (npm, a mock of LLM APIs), which replays a fixture in 200 pieces. The mock's seeded
answers are sampled once and then replayed too; its unseeded ones are sampled from the engine,
token by token, for every stream. All are read by the same client. Also: what KimiTransformer
costs a chunk.
"""

import asyncio
import json
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tinker_mock.kimi import KimiTransformer

ROOT = Path(__file__).parents[2]
PEERS = ROOT / ".peers"
AIMOCK = "@copilotkit/aimock@1.43.0"
STREAMS, TOKENS, RUNS = 100, 200, 3
CHUNKS = 20_000


@contextmanager
def started(command: list[str], ready: str) -> Any:
    """A server's process; its address is the first http:// of its output."""
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=ROOT
    ) as server:
        try:
            assert server.stdout
            line = next(line for line in server.stdout if ready in line)
            address = line.split("http://")[1].split()[0].strip("/\"'")
            host, _, port = address.partition(":")
            yield host, int(port.split("/")[0])
        finally:
            server.terminate()


def request(path: str, body: dict[str, Any]) -> bytes:
    """The request's bytes."""
    content = json.dumps(body).encode()
    lines = [
        f"POST {path} HTTP/1.1",
        "Host: mock",
        "Authorization: Bearer tml-bench",
        "Content-Type: application/json",
        "Connection: close",
        f"Content-Length: {len(content)}",
    ]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + content


async def read_stream(address: tuple[str, int], asked: bytes) -> tuple[float, int]:
    """Seconds to the first event, and the number of events."""
    began = time.perf_counter()
    reader, writer = await asyncio.open_connection(*address)
    writer.write(asked)
    first, events = 0.0, 0
    while chunk := await reader.read(65536):
        found = chunk.count(b"data: ")
        if found and not events:
            first = time.perf_counter() - began
        events += found
    writer.close()
    return first, events


async def load(address: tuple[str, int], asked: bytes) -> tuple[float, float, int]:
    """(median seconds to the first event, events a second, events of a stream)."""
    began = time.perf_counter()
    results = await asyncio.gather(*(read_stream(address, asked) for _ in range(STREAMS)))
    seconds = time.perf_counter() - began
    firsts, events = zip(*results, strict=True)
    return statistics.median(firsts), sum(events) / seconds, min(events)


def measure(address: tuple[str, int], asked: bytes) -> tuple[float, float, int]:
    """The best of several runs, after one to warm up."""
    asyncio.run(load(address, asked))
    return max((asyncio.run(load(address, asked)) for _ in range(RUNS)), key=lambda row: row[1])


def mock() -> list[tuple[float, float, int]]:
    """This project's server: seeded, then unseeded."""
    command = [sys.executable, "-m", "tinker_mock.server", "--port", "0"]
    body = {"model": "Qwen/Qwen3-8B", "prompt": "Once upon a time", "max_tokens": TOKENS}
    body |= {"stream": True, "ignore_eos": True}
    path = "/oai/api/v1/completions"
    with started(command, "ready at") as address:
        return [measure(address, request(path, body | more)) for more in ({"seed": 1}, {})]


def aimock() -> tuple[float, float, int] | None:
    """The peer, installed beside the repository's files; None without npm."""
    program = PEERS / "node_modules" / ".bin" / "llmock"
    if not program.exists():
        if shutil.which("npm") is None:
            return None
        install = ["npm", "install", "--silent", "--no-fund", "--no-audit", "--prefix", str(PEERS)]
        subprocess.run([*install, AIMOCK], check=True)
    answer = {"match": {"userMessage": "Once"}, "response": {"content": "word " * TOKENS}}
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "fixtures.json").write_text(json.dumps({"fixtures": [answer]}))
        command = [str(program), "--port", "0", "--fixtures", folder, "--chunk-size", "5"]
        with started(command, "http://") as address:
            body = {"model": "gpt-4", "messages": [{"role": "user", "content": "Once"}]}
            return measure(address, request("/v1/chat/completions", {**body, "stream": True}))


def chunk(delta: dict[str, Any]) -> bytes:
    choice = {"index": 0, "delta": delta, "finish_reason": None}
    body = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "choices": [choice]}
    return b"data: " + json.dumps(body).encode() + b"\n\n"


def microseconds_a_chunk(work: Callable[[bytes], object], sample: list[bytes]) -> float:
    began = time.perf_counter()
    for number in range(CHUNKS):
        work(sample[number % len(sample)])
    return (time.perf_counter() - began) / CHUNKS * 1e6


def transformer() -> None:
    """What a chunk costs, beside parsing and writing it with json."""
    text = [chunk({"content": f"word {n} "}) for n in range(50)]
    fragment = {"tool_calls": [{"index": 0, "function": {"arguments": '{"a'}}]}
    opening = {"index": 0, "id": "call_1", "function": {"name": "f", "arguments": "{"}}
    peer = microseconds_a_chunk(lambda raw: json.dumps(json.loads(raw[6:])).encode(), text)
    print(f"json.loads + json.dumps     {peer:6.2f} µs a chunk")
    cases: list[tuple[str, dict[str, Any], list[bytes]]] = [
        ("text passes through", {}, text),
        ("text, markers looked for", {"manualToolParsing": True}, text),
        ("fragments of a tool call", {}, [chunk(fragment)]),
    ]
    for name, options, sample in cases:
        stream = KimiTransformer(options).stream("text/event-stream", {"messages": []})
        assert stream is not None
        stream.feed(chunk({"tool_calls": [opening]}))
        cost = microseconds_a_chunk(stream.feed, sample)
        print(f"{name:27} {cost:6.2f} µs a chunk  ({cost / peer:.2f} of json)")


def main() -> None:
    """Print both servers with their ratio, then the transformer."""
    other = aimock()
    rows = [("aimock, a fixture", other)] if other else []
    rows += list(zip(("mock, seeded", "mock, sampled"), mock(), strict=True))
    for name, (first, rate, events) in rows:
        ratio = f"   {rate / other[1]:5.2f} x aimock" if other else ""
        print(
            f"{name:18} {rate:7.0f} events/s   first event {first * 1e3:5.0f} ms   "
            f"{events} a stream{ratio}"
        )
    if other is None:
        print("aimock not measured: it needs npm")
    transformer()


if __name__ == "__main__":
    main()
