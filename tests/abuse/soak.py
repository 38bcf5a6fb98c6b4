"""Ask a mock for a long time and look at its memory.

    python tests/abuse/soak.py --seconds 600 --requests 1000000

A mixed day of requests (sessions, models, steps, samples, text, polls), from several tenants.
Memory is looked at when a part of the requests is done (a quarter), when everything that is
bounded has filled up, and at the end. Prints figures, with what server and client took of the
processor; ends with 1 if memory grew by more than the allowance, or anything was a 5xx.
"""

import argparse
import asyncio
import os
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import orjson

from tests.abuse.fuzz import peak_memory
from tests.bench.raw_http import cpu_seconds, request_bytes
from tests.server.commands import served_process

CLIENTS = 8
ALLOWANCE = 120
"""MiB that memory may grow by once what is bounded has filled up."""
OPTIONS = [
    *("--retention", "5", "--keep", "5", "--max-models", "50"),
    *("--journal-memory", "8", "--journal-size", "2000"),
]
MODEL = "Qwen/Qwen3-8B"
CHUNK = {"chunks": [{"type": "encoded_text", "tokens": [1, 2, 3, 4]}]}
DATUM = {
    "model_input": CHUNK,
    "loss_fn_inputs": {"target_tokens": {"data": [2, 3, 4, 5], "dtype": "int64", "shape": [4]}},
}


@dataclass
class Figures:
    """What came of a run. Memory in MiB."""

    statuses: Counter[int] = field(default_factory=Counter)
    failures: Counter[str] = field(default_factory=Counter)
    seconds: float = 0.0
    filled: int = 0
    end: int = 0
    processor: tuple[float, float] = (0.0, 0.0)
    """Seconds of the server's and of this program's."""
    ends: tuple[tuple[int, int], tuple[int, int]] = (0, 0), (0, 0)
    """Open files and threads of the server when it had filled up, and at the end."""

    @property
    def growth(self) -> int:
        return self.end - self.filled

    def told(self) -> str:
        total = self.statuses.total()
        return (
            f"{total} requests in {self.seconds:.0f} s ({total / self.seconds:.0f} a second)\n"
            f"  statuses: {dict(sorted(self.statuses.items()))}\n"
            f"  failures: {dict(self.failures)}\n"
            f"  memory: {self.filled} MiB when it had filled up, {self.end} MiB at the end "
            f"(grew by {self.growth}, allowed {ALLOWANCE})\n"
            f"  open files and threads: {self.ends[0]}, then {self.ends[1]}\n"
            f"  processor: {self.processor[0]:.0f} s of the server, {self.processor[1]:.0f} s here"
        )


class Client:
    """One tenant's loop, on one connection: the bytes of HTTP/1.1, without a library's cost."""

    def __init__(self, url: str, number: int, figures: Figures) -> None:
        self.url, self.key = url, f"tml-soak-{number}"
        self.figures = figures
        self.session = ""
        self.days = 0

    async def __aenter__(self) -> "Client":
        where = urlsplit(self.url)
        self.reader, self.writer = await asyncio.open_connection(where.hostname, where.port)
        return self

    async def __aexit__(self, *_: object) -> None:
        self.writer.close()
        await self.writer.wait_closed()

    async def post(self, path: str, body: Any) -> Any:
        self.writer.write(request_bytes(self.url, self.key, path, body, prefix=""))
        head = (await self.reader.readuntil(b"\r\n\r\n")).lower()
        size = int(head.split(b"content-length:")[1].split(b"\r\n")[0])
        content = await self.reader.readexactly(size)
        self.figures.statuses[int(head.split()[1])] += 1
        return orjson.loads(content)

    async def done(self, operation: str, body: Any) -> Any:
        """The result of a promise."""
        request = await self.post(f"/api/v1/{operation}", body)
        if "request_id" not in request:
            return request
        while True:
            result = await self.post("/api/v1/retrieve_future", request)
            if result.get("type") != "try_again":
                return result

    async def day(self) -> None:
        """A model, some steps, samples and texts; then it is unloaded."""
        if not self.session:
            told: dict[str, Any] = {"tags": [], "sdk_version": "0.38.0", "user_metadata": None}
            self.session = (await self.post("/api/v1/create_session", told))["session_id"]
        own, number = {"session_id": self.session}, self.days
        self.days += 1
        lora = {"base_model": MODEL, "lora_config": {"rank": 4}, "model_seq_id": number}
        model = (await self.done("create_model", own | lora))["model_id"]
        for step in range(1, 9, 2):
            given = {"data": [DATUM], "loss_fn": "cross_entropy"}
            run = {"model_id": model, "seq_id": step}
            await self.done("forward_backward", run | {"forward_backward_input": given})
            rate = {"adam_params": {"learning_rate": 1e-4}}
            await self.done("optim_step", run | {"seq_id": step + 1} | rate)
        source = own | {"base_model": MODEL, "sampling_session_seq_id": number}
        sampler = await self.post("/api/v1/create_sampling_session", source)
        for place in range(1, 5):
            wanted = {"prompt": CHUNK, "sampling_params": {"max_tokens": 4}, "num_samples": 1}
            where = {"sampling_session_id": sampler["sampling_session_id"], "seq_id": place}
            await self.done("asample", where | wanted)
        text = {"model": MODEL, "prompt": "hello", "max_tokens": 4}
        await self.post("/oai/api/v1/completions", text)
        await self.post("/api/v1/session_heartbeat", own)
        await self.done("unload_model", {"model_id": model, "seq_id": 9})


def memory_now(process: int) -> int:
    """MiB, where Linux tells it; else 0."""
    try:
        with open(f"/proc/{process}/status") as file:
            lines = dict(line.split(":", 1) for line in file)
    except FileNotFoundError:
        return 0
    return int(lines["VmRSS"].split()[0]) // 1024


def holdings(process: int) -> tuple[int, int]:
    """Open files and threads, where Linux tells them."""
    try:
        return len(os.listdir(f"/proc/{process}/fd")), len(os.listdir(f"/proc/{process}/task"))
    except FileNotFoundError:
        return 0, 0


async def play(
    url: str, process: int, seconds: float, requests: int, figures: Figures, filled: float
) -> None:
    """Days of all clients until so many seconds have passed or requests were answered; memory is
    first looked at when the share `filled` of that is over."""
    begun = time.monotonic()

    def share() -> float:
        """How much of the run is over."""
        passed = (time.monotonic() - begun) / seconds
        return max(passed, figures.statuses.total() / requests)

    async def loop(number: int) -> None:
        client = Client(url, number, figures)
        async with client:
            while share() < 1:
                try:
                    await client.day()
                except KeyError as error:
                    figures.failures[repr(error)[:80]] += 1
                if not figures.filled and share() > filled:
                    figures.filled = memory_now(process)
                    figures.ends = holdings(process), (0, 0)

    await asyncio.gather(*(loop(number) for number in range(CLIENTS)))
    figures.seconds, figures.end = time.monotonic() - begun, memory_now(process)
    figures.ends = figures.ends[0], holdings(process)
    if figures.end:
        figures.processor = cpu_seconds(process), time.process_time()


def soak(seconds: float, requests: int, filled: float = 0.25) -> Figures:
    figures = Figures()
    with served_process("--seed", "1", "--long-poll", "1", *OPTIONS) as mock:
        asyncio.run(play(mock.url, mock.pid, seconds, requests, figures, filled))
        print(f"peak memory {peak_memory(mock.pid)} MiB")
    return figures


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("--requests", type=int, default=1_000_000)
    parser.add_argument("--filled", type=float, default=0.25, help="share after which it is full")
    arguments = parser.parse_args()
    figures = soak(arguments.seconds, arguments.requests, arguments.filled)
    print(figures.told())
    broken = any(status >= 500 for status in figures.statuses) or figures.failures
    return 1 if broken or figures.growth > ALLOWANCE else 0


if __name__ == "__main__":
    sys.exit(main())
