"""Two hundred clients that train and sample at the same time: throughput and memory of the server.

Every client has its own key, connection and model, and trains on the same data: a step is a
forward_backward and an optim_step, submitted together and polled; each fourth step the weights are
saved and sampled. Every promise must be kept, and all clients must have read the same losses.

make bench BENCH=load    (or: python tests/bench/bench_load.py [seconds] [clients])
"""

import asyncio
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import orjson

from tests.bench.raw_http import cpu_seconds, request_bytes
from tests.server.commands import served_process

SECONDS, CLIENTS = 60.0, 200
MODEL = "Qwen/Qwen3-8B"
ROWS, LENGTH, SAMPLED = 4, 64, 32
SAVE_EVERY = 4
BEFORE = 5644 / 120
"""Requests a second of processor time, server and clients together, that the same kind of load came
to in November 2026, before anything was done for it: 5,644 in a minute of two busy cores."""
WANTED_RATIO, WANTED_MEMORY = 4.0, 400


def batch() -> list[dict[str, Any]]:
    """Rows of text-like tokens with a target each."""
    data = []
    for row in range(ROWS):
        tokens = [151644, 872, 198, *((row * 7919 + n * 104729) % 5000 for n in range(LENGTH - 2))]
        target = {"data": tokens[1:], "dtype": "int64", "shape": [LENGTH]}
        chunks = {"chunks": [{"type": "encoded_text", "tokens": tokens[:-1]}]}
        data.append({"model_input": chunks, "loss_fn_inputs": {"target_tokens": target}})
    return data


DATA = batch()


@dataclass
class Account:
    """What clients did, and what came of it."""

    requests: int = 0
    submitted: Counter[str] = field(default_factory=Counter)
    kept: Counter[str] = field(default_factory=Counter)
    losses: dict[int, set[float]] = field(default_factory=dict)
    """By the number of the step: what clients read."""


class Client:
    """One tenant on one connection."""

    def __init__(self, url: str, number: int, account: Account) -> None:
        self.url, self.key, self.account = url, f"tml-load-{number}", account
        self.lines: tuple[asyncio.StreamReader, asyncio.StreamWriter]

    async def post(self, path: str, body: Any) -> Any:
        reader, writer = self.lines
        self.account.requests += 1
        writer.write(request_bytes(self.url, self.key, path, body))
        head = (await reader.readuntil(b"\r\n\r\n")).lower()
        size = int(head.split(b"content-length:")[1].split(b"\r\n")[0])
        answer = orjson.loads(await reader.readexactly(size))
        if int(head.split()[1]) >= 400 and answer.get("type") != "try_again":
            raise RuntimeError(f"{path}: {answer}")
        return answer

    async def submit(self, operation: str, body: Any) -> tuple[str, str]:
        request = await self.post(operation, body)
        self.account.submitted[operation] += 1
        return operation, request["request_id"]

    async def result(self, promise: tuple[str, str]) -> Any:
        operation, request_id = promise
        while True:
            answer = await self.post("retrieve_future", {"request_id": request_id})
            if answer.get("type") != "try_again":
                break
        if "error" in answer:
            raise RuntimeError(f"{operation}: {answer}")
        self.account.kept[operation] += 1
        return answer

    async def play(self, end: float) -> None:
        """Train and sample until the end."""
        where = urlsplit(self.url)
        self.lines = await asyncio.open_connection(where.hostname, where.port)
        told: dict[str, Any] = {"tags": [], "sdk_version": "0.38.0", "user_metadata": None}
        session = (await self.post("create_session", told))["session_id"]
        lora = {"base_model": MODEL, "lora_config": {"rank": 8}, "model_seq_id": 0}
        made = await self.submit("create_model", {"session_id": session} | lora)
        model, number, step = (await self.result(made))["model_id"], 0, 0
        while time.monotonic() < end:
            given = {"data": DATA, "loss_fn": "cross_entropy"}
            run = {"model_id": model, "seq_id": number + 1}
            loss = await self.submit("forward_backward", run | {"forward_backward_input": given})
            rate = {"adam_params": {"learning_rate": 1e-4}}
            update = await self.submit("optim_step", run | {"seq_id": number + 2} | rate)
            number, step = number + 2, step + 1
            found = (await self.result(loss))["metrics"]["loss:sum"]
            self.account.losses.setdefault(step, set()).add(found)
            await self.result(update)
            if step % SAVE_EVERY == 0:
                number += 1
                await self.sample(model, number, step)
        self.lines[1].close()

    async def sample(self, model: str, number: int, step: int) -> None:
        """Save the weights, and draw from them."""
        run = {"model_id": model, "seq_id": number, "sampling_session_seq_id": step}
        saved = await self.result(await self.submit("save_weights_for_sampler", run))
        params = {"max_tokens": SAMPLED, "temperature": 1.0, "stop": []}
        where = {"sampling_session_id": saved["sampling_session_id"], "seq_id": 1}
        wanted = {"prompt": DATA[0]["model_input"], "sampling_params": params, "num_samples": 1}
        drawn = await self.result(await self.submit("asample", where | wanted))
        if len(drawn["sequences"][0]["tokens"]) != SAMPLED:
            raise RuntimeError(f"asample: {drawn}")


def highest_memory(pid: int) -> float:
    """The most megabytes that a process ever had resident."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) / 1024


async def crowd(url: str, seconds: float, clients: int) -> Account:
    account, end = Account(), time.monotonic() + seconds
    await asyncio.gather(*(Client(url, number, account).play(end) for number in range(clients)))
    return account


def main() -> None:
    """Print the account and the ratios; exit code 1 for a promise that was not kept."""
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else SECONDS
    clients = int(sys.argv[2]) if len(sys.argv) > 2 else CLIENTS
    with served_process("--seed", "7", "--long-poll", "5") as mock:
        begun, own = cpu_seconds(mock.pid), time.process_time()
        account = asyncio.run(crowd(mock.url, seconds, clients))
        server, own = cpu_seconds(mock.pid) - begun, time.process_time() - own
        memory = highest_memory(mock.pid)
    print(f"{clients} clients for {seconds:g} s: {account.requests:,} requests")
    for operation, count in sorted(account.submitted.items()):
        print(f"  {operation:26} {count:7,} submitted {account.kept[operation]:7,} kept")
    differing = sum(len(found) > 1 for found in account.losses.values())
    print(f"  {len(account.losses)} steps at most, losses differ in {differing}")
    together = account.requests / (server + own)
    print(f"  {account.requests / server:,.0f} requests a second of the server's CPU")
    told = f"{together / BEFORE:.1f}x {BEFORE:.0f}, wanted: {WANTED_RATIO:g}x"
    print(f"  {together:,.0f} a second of CPU with the clients': {told}")
    print(f"  {memory:.0f} MB at most, wanted: {WANTED_MEMORY} MB")
    if account.submitted != account.kept or differing:
        sys.exit(1)


if __name__ == "__main__":
    main()
