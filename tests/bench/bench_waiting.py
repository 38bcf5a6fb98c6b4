"""Parked long polls: what they cost while nothing happens, and how fast one completion wakes one.

Beside the mock, in the same run, two bare servers on Hypercorn: one whose polls wait for an event,
which is the limit, and one that looks every 100 ms, which is how most do it. Prints idle CPU, wake
latency with one and with a thousand parked, and shutdown time with everything parked.
"""

from __future__ import annotations

import asyncio
import json
import resource
import signal
import statistics
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tests.bench.bare_server import serve_and_tell
from tests.bench.raw_http import process_seconds

POLLS = 1000
WAKES, ALONE = 200, 600
IDLE_SECONDS = 3.0
WANTED = 1.5
EVENTS, LOOKS = "bare, an event", "polling every 100 ms"
KEY = "tml-bench"
MODEL = "Qwen/Qwen3-8B"
HELD = "queue:\n  completion: [{operation: asample, manual: true}]"


async def peer(looks: bool) -> None:
    """A bare server of the same calls, whose polls wait for an event or look every 100 ms."""
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import JSONResponse
    from starlette.routing import Route

    done: defaultdict[str, asyncio.Event] = defaultdict(asyncio.Event)
    parked = 0

    async def retrieve(request: Request) -> JSONResponse:
        nonlocal parked
        request_id = (await request.json())["request_id"]
        parked += 1
        while looks and not done[request_id].is_set():  # noqa: ASYNC110 (so do most)
            await asyncio.sleep(0.1)
        await done[request_id].wait()
        parked -= 1
        return JSONResponse({"done": request_id})

    async def complete(request: Request) -> JSONResponse:
        done[request.path_params["request_id"]].set()
        return JSONResponse({})

    async def state(request: Request) -> JSONResponse:
        return JSONResponse({"parked": parked})

    routes = [
        Route("/api/v1/retrieve_future", retrieve, methods=["POST"]),
        Route("/_mock/promises/{request_id}/complete", complete, methods=["POST"]),
        Route("/_mock/state", state),
    ]
    await serve_and_tell(Starlette(routes=routes))


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
    for seq_id in range(POLLS + ALONE):
        sample = {
            "sampling_session_id": sampler["sampling_session_id"],
            "seq_id": seq_id,
            "prompt": {"chunks": [{"type": "encoded_text", "tokens": [1, 2, 3]}]},
            "sampling_params": {"max_tokens": 1},
        }
        ids.append((await line.call("POST", "/api/v1/asample", sample))["request_id"])
    return ids


async def until_parked(control: Line, polls: int) -> None:
    """Return once so many polls wait."""
    while (await control.call("GET", "/_mock/state"))["parked"] != polls:
        pass


async def woken(control: Line, parked: Line, request_id: str) -> float:
    """Milliseconds from the event to the answer of a parked poll."""
    start = time.perf_counter()
    control.send("POST", f"/_mock/promises/{request_id}/complete")
    await parked.answer()
    took = (time.perf_counter() - start) * 1000
    await control.answer()
    return took


def quantiles(wakes: list[float]) -> tuple[float, float]:
    """p50 and p99."""
    return statistics.median(wakes), sorted(wakes)[int(len(wakes) * 0.99)]


async def alone(name: str, port: int, ids: list[str]) -> tuple[float, float]:
    """p50 and p99 of a wake, one parked at a time."""
    control, line, wakes = await Line.to(port), await Line.to(port), []
    for request_id in ids:
        line.send("POST", "/api/v1/retrieve_future", {"request_id": request_id})
        await until_parked(control, 1)
        wakes.append(await woken(control, line, request_id))
    p50, p99 = quantiles(wakes)
    print(
        f"{name:<22}    1 parked:                   one wake p50 {p50:6.2f} ms  p99 {p99:6.2f} ms"
    )
    return p50, p99


async def measure(name: str, port: int, pid: int, ids: list[str]) -> dict[str, float]:
    """Both with one and with all parked."""
    first, ids = await alone(name, port, ids[POLLS:]), ids[:POLLS]
    control, lines = await Line.to(port), [await Line.to(port) for _ in ids]
    for line, request_id in zip(lines, ids, strict=True):
        line.send("POST", "/api/v1/retrieve_future", {"request_id": request_id})
    await until_parked(control, POLLS)
    before = process_seconds(pid)
    await asyncio.sleep(IDLE_SECONDS)
    idle = (process_seconds(pid) - before) / IDLE_SECONDS
    some = list(zip(lines, ids, strict=True))[:WAKES]
    p50, p99 = quantiles([await woken(control, *one) for one in some])
    result = {"1 p50": first[0], "1 p99": first[1], "idle": idle * 100, "p50": p50, "p99": p99}
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
        used, start = process_seconds(process.pid), time.perf_counter()
        process.send_signal(signal.SIGINT)
        process.wait(30)
        seconds = time.perf_counter() - start
        children = resource.getrusage(resource.RUSAGE_CHILDREN)
        cpu = children.ru_utime + children.ru_stime - used
        print(f"shutdown with {POLLS - WAKES} polls parked: {seconds:.2f} s ({cpu:.2f} s of CPU)")
    return result


async def the_peer(name: str) -> dict[str, float]:
    with running([sys.executable, "-m", "tests.bench.bench_waiting", "--peer", name]) as process:
        assert process.stdout is not None
        port = int(process.stdout.readline().rsplit(":", 1)[1])
        ids = [f"promise-{n}" for n in range(POLLS + ALONE)]
        return await measure(name, port, process.pid, ids)


def main() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(max(soft, 8192), hard), hard))
    if "--peer" in sys.argv:
        asyncio.run(peer(sys.argv[-1] == LOOKS))
        return
    ours, limit = asyncio.run(the_mock()), asyncio.run(the_peer(EVENTS))
    theirs = asyncio.run(the_peer(LOOKS))
    ratios = {name: ours[name] / limit[name] for name in ("1 p50", "1 p99", "p50", "p99")}
    told = ", ".join(f"{name} {ratio:.2f}x" for name, ratio in ratios.items())
    print(f"wake against {EVENTS}: {told}; wanted: {WANTED}x")
    print(f"wake p50: {theirs['p50'] / ours['p50']:.0f} x faster than polling every 100 ms")


if __name__ == "__main__":
    main()
