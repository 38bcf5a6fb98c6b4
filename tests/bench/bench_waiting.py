"""Parked long polls: what they cost while nothing happens, and how fast one completion wakes one.

Beside the mock, in the same run, a server that answers long polls by looking every 100 ms, which
is how most do it. Prints idle CPU, wake latency and shutdown time with everything parked.
"""

from __future__ import annotations

import asyncio
import json
import os
import resource
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

POLLS = 1000
WAKES = 200
IDLE_SECONDS = 3.0
KEY = "tml-bench"
MODEL = "Qwen/Qwen3-8B"
HELD = "queue:\n  completion: [{operation: asample, manual: true}]"


async def peer(port: int) -> None:
    """The polling server: the same two calls, a loop of 100 ms sleeps instead of events."""
    from hypercorn.asyncio import serve
    from hypercorn.config import Config
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import JSONResponse
    from starlette.routing import Route

    done: set[str] = set()

    async def retrieve(request: Request) -> JSONResponse:
        request_id = (await request.json())["request_id"]
        while request_id not in done:  # noqa: ASYNC110 (this is what the peer is here for)
            await asyncio.sleep(0.1)
        return JSONResponse({"done": request_id})

    async def complete(request: Request) -> JSONResponse:
        done.add(request.path_params["request_id"])
        return JSONResponse({})

    routes = [
        Route("/api/v1/retrieve_future", retrieve, methods=["POST"]),
        Route("/_mock/promises/{request_id}/complete", complete, methods=["POST"]),
    ]
    config = Config()
    config.bind = [f"127.0.0.1:{port}"]
    config.backlog, config.loglevel = 2048, "ERROR"
    await serve(Starlette(routes=routes), config)  # type: ignore[arg-type]


class Line:
    """One keep-alive connection, HTTP/1.1 by hand so that the client costs next to nothing."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    @classmethod
    async def to(cls, port: int) -> Line:
        return cls(*await asyncio.open_connection("127.0.0.1", port))

    def send(self, method: str, path: str, body: Any = None) -> None:
        content = b"" if body is None else json.dumps(body).encode()
        head = f"{method} {path} HTTP/1.1\r\nHost: bench\r\nX-API-Key: {KEY}\r\n"
        head += f"Content-Type: application/json\r\nContent-Length: {len(content)}\r\n\r\n"
        self.writer.write(head.encode() + content)

    async def answer(self) -> Any:
        head = (await self.reader.readuntil(b"\r\n\r\n")).decode().lower()
        lengths = [row.split(":")[1] for row in head.split("\r\n") if "content-length" in row]
        body = await self.reader.readexactly(int(lengths[0])) if lengths else b""
        return json.loads(body) if body else None

    async def call(self, method: str, path: str, body: Any = None) -> Any:
        self.send(method, path, body)
        return await self.answer()


@contextmanager
def running(command: list[str]) -> Iterator[subprocess.Popen[str]]:
    quiet = subprocess.DEVNULL
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=quiet, text=True)
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()


async def held_promises(line: Line) -> list[str]:
    """Promises of the mock that are completed by hand only."""
    await line.call("PUT", "/_mock/scenario", {"yaml": HELD})
    told = {"tags": [], "user_metadata": {}, "sdk_version": "0.38.0"}
    session = (await line.call("POST", "/api/v1/create_session", told))["session_id"]
    body = {"session_id": session, "sampling_session_seq_id": 0, "base_model": MODEL}
    sampler = await line.call("POST", "/api/v1/create_sampling_session", body)
    ids = []
    for seq_id in range(POLLS):
        sample = {
            "sampling_session_id": sampler["sampling_session_id"],
            "seq_id": seq_id,
            "prompt": {"chunks": [{"type": "encoded_text", "tokens": [1, 2, 3]}]},
            "sampling_params": {"max_tokens": 1},
        }
        ids.append((await line.call("POST", "/api/v1/asample", sample))["request_id"])
    return ids


def cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


async def measure(name: str, port: int, pid: int, ids: list[str]) -> dict[str, float]:
    lines = [await Line.to(port) for _ in ids]
    for line, request_id in zip(lines, ids, strict=True):
        line.send("POST", "/api/v1/retrieve_future", {"request_id": request_id})
    await asyncio.sleep(2.0)  # let every poll arrive and park
    before = cpu_seconds(pid)
    await asyncio.sleep(IDLE_SECONDS)
    idle = (cpu_seconds(pid) - before) / IDLE_SECONDS
    control, wakes = await Line.to(port), []
    for line, request_id in list(zip(lines, ids, strict=True))[:WAKES]:
        start = time.perf_counter()
        control.send("POST", f"/_mock/promises/{request_id}/complete")
        await line.answer()
        wakes.append((time.perf_counter() - start) * 1000)
        await control.answer()
    wakes.sort()
    result = {"idle": idle * 100, "p50": statistics.median(wakes), "p99": wakes[int(WAKES * 0.99)]}
    print(
        f"{name:<22} {POLLS} parked: {result['idle']:5.1f} % CPU idle, one wake "
        f"p50 {result['p50']:6.2f} ms  p99 {result['p99']:6.2f} ms"
    )
    return result


async def the_mock() -> dict[str, float]:
    with running([sys.executable, "-m", "tinker_mock.server", "--port", "0"]) as process:
        assert process.stdout is not None
        port = int(process.stdout.readline().rsplit(":", 1)[1])
        ids = await held_promises(await Line.to(port))
        result = await measure("tinker-mock (events)", port, process.pid, ids)
        used, start = cpu_seconds(process.pid), time.perf_counter()
        process.send_signal(signal.SIGINT)
        process.wait(30)
        seconds = time.perf_counter() - start
        children = resource.getrusage(resource.RUSAGE_CHILDREN)
        cpu = children.ru_utime + children.ru_stime - used
        print(f"shutdown with {POLLS - WAKES} polls parked: {seconds:.2f} s ({cpu:.2f} s of CPU)")
    return result


async def the_peer() -> dict[str, float]:
    port = 20_000 + os.getpid() % 20_000
    with running([sys.executable, __file__, "--peer", str(port)]) as process:
        while True:
            try:
                await Line.to(port)
                break
            except OSError:
                await asyncio.sleep(0.05)
        return await measure(
            "polling every 100 ms", port, process.pid, [f"promise-{n}" for n in range(POLLS)]
        )


def main() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(max(soft, 8192), hard), hard))
    if "--peer" in sys.argv:
        asyncio.run(peer(int(sys.argv[-1])))
        return
    ours, theirs = asyncio.run(the_mock()), asyncio.run(the_peer())
    print(f"wake p50: {theirs['p50'] / ours['p50']:.0f} x faster than polling every 100 ms")


if __name__ == "__main__":
    main()
