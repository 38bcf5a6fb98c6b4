"""Memory of a server after ten thousand operations, and after many more.

    python -m tests.bench.soak_memory --operations 1000000
    python -m tests.bench.soak_memory -- --data-dir ./data         # options of the server

Eight clients live through days: a session, a model that is trained, saved and sampled, an operation
that is cancelled, text, checkpoints that are deleted, and the end of model and session. Every
request but a poll is an operation; what is asked is short, so that there can be many, and never the
same. Prints the resident size on the way, when nobody works and what was freed has gone back to the
system, and fails when the end is above 1.3 times what ten thousand operations took.
"""

import argparse
import asyncio
import sys
import time
from collections import Counter
from itertools import count
from pathlib import Path
from random import Random
from typing import Any
from urllib.parse import urlsplit

import httpx
import orjson

from tests.bench.raw_http import request_bytes
from tests.server.commands import ServerProcess, served_process
from tinker_mock.server.service.housekeeping import GIVE_BACK_EVERY

BASE = "Qwen/Qwen3-8B"
FIRST, CLIENTS, LIMIT = 10_000, 8, 1.3
STEPS, SAVE_EVERY, TEXTS = 20, 5, 10
SAMPLES = 15
"""Of each sampler that a day makes."""
LENGTH = 18
"""Tokens of a prompt and of what is trained on; no two have the same."""
MIB = 1024
TRY_AGAIN, LOOKS = 408, 3


class Client:
    """One tenant on one kept connection. `done`: operations by name, of all clients."""

    def __init__(self, server: ServerProcess, number: int, done: Counter[str]) -> None:
        self.url, self.key, self.done = server.url, f"tml-soak-{number}", done
        self.tokens = Random(f"{number} {done.total()}")
        self.lines: tuple[asyncio.StreamReader, asyncio.StreamWriter]

    async def connect(self) -> None:
        where = urlsplit(self.url)
        self.lines = await asyncio.open_connection(where.hostname, where.port)

    async def ask(self, request: bytes) -> Any:
        """The answer's value. Raises RuntimeError for a refusal."""
        reader, writer = self.lines
        writer.write(request)
        head = (await reader.readuntil(b"\r\n\r\n")).lower()
        size = head.split(b"content-length:")
        content = await reader.readexactly(int(size[1].split(b"\r\n")[0])) if size[1:] else b""
        if int(head.split()[1]) not in (200, 204, TRY_AGAIN):
            raise RuntimeError(f"{request!r}: {content!r}")
        return orjson.loads(content or b"null")

    async def post(self, path: str, body: Any, prefix: str = "/api/v1/") -> Any:
        """An operation's answer."""
        self.done[path.partition("/")[0]] += 1
        return await self.ask(request_bytes(self.url, self.key, path, body, prefix))

    async def delete(self, path: str) -> None:
        self.done["delete_checkpoint"] += 1
        head = f"DELETE /api/v1/{path} HTTP/1.1\r\nHost: x\r\nX-API-Key: {self.key}\r\n\r\n"
        await self.ask(head.encode())

    async def result(self, asked: Any) -> Any:
        """What a promise gives."""
        poll = request_bytes(
            self.url, self.key, "retrieve_future", {"request_id": asked["request_id"]}
        )
        while (told := await self.ask(poll)).get("type") == "try_again":
            pass
        if "error" in told:
            raise RuntimeError(str(told))
        return told

    def drawn(self) -> list[int]:
        """Tokens of text that nobody wrote before."""
        return self.tokens.choices(range(1000, 6000), k=LENGTH)


class Day:
    """What a client does with one session."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.session = self.model = ""
        self.numbers, self.samplers = count(1), count()

    async def live(self) -> None:
        client = self.client
        told: dict[str, Any] = {"tags": [], "user_metadata": None, "sdk_version": "0.38.0"}
        self.session = (await client.post("create_session", told))["session_id"]
        made = {"session_id": self.session, "model_seq_id": 0, "base_model": BASE}
        lora = {"lora_config": {"rank": 8}}
        self.model = (await client.result(await client.post("create_model", made | lora)))[
            "model_id"
        ]
        body = {"session_id": self.session, "sampling_session_seq_id": next(self.samplers)}
        base = await client.post("create_sampling_session", body | {"base_model": BASE})
        await self.sample(base["sampling_session_id"])
        for step in range(STEPS):
            await self.train()
            if step % SAVE_EVERY == 0:
                told = {"sampling_session_seq_id": next(self.samplers)}
                saved = await self.of_model("save_weights_for_sampler", told)
                await self.sample(saved["sampling_session_id"])
        for _ in range(TEXTS):
            text = f"once {client.tokens.random()}"
            asked = {"model": BASE, "prompt": text, "max_tokens": 1}
            await client.post("completions", asked, "/oai/api/v1/")
        await self.end()

    async def of_model(self, operation: str, told: Any) -> Any:
        """The result of an operation in the model's lane."""
        body = {"model_id": self.model, "seq_id": next(self.numbers)}
        return await self.client.result(await self.client.post(operation, body | told))

    def batch(self) -> dict[str, Any]:
        """One row."""
        tokens = self.client.drawn()
        target = {"data": tokens[1:], "dtype": "int64", "shape": [LENGTH - 1]}
        chunks = {"chunks": [{"type": "encoded_text", "tokens": tokens[:-1]}]}
        datum = {"model_input": chunks, "loss_fn_inputs": {"target_tokens": target}}
        return {"data": [datum], "loss_fn": "cross_entropy"}

    async def train(self) -> None:
        """One step, submitted together."""
        post, run = self.client.post, {"model_id": self.model}
        given = self.batch()
        first = run | {"seq_id": next(self.numbers), "forward_backward_input": given}
        second = run | {"seq_id": next(self.numbers), "adam_params": {"learning_rate": 1e-4}}
        both = await post("forward_backward", first), await post("optim_step", second)
        for asked in both:
            await self.client.result(asked)
        await self.client.result(both[0])  # read again

    async def sample(self, sampler: str) -> None:
        for number in range(SAMPLES):
            prompt = {"chunks": [{"type": "encoded_text", "tokens": self.client.drawn()}]}
            asked = {"sampling_session_id": sampler, "seq_id": number + 1, "prompt": prompt}
            params = {"max_tokens": 1, "seed": number}
            drawn = await self.client.post("asample", asked | {"sampling_params": params})
            await self.client.result(drawn)

    async def end(self) -> None:
        """Save, cancel what waits, delete, unload, finish."""
        kept = {await self.saved("save_weights", name) for name in ("one", "two")}
        kept.add(await self.saved("save_weights_for_sampler", "one"))
        number = next(self.numbers)  # is late: what comes next waits
        waiting = {"model_id": self.model, "seq_id": next(self.numbers)}
        given = {"forward_backward_input": self.batch()}
        asked = await self.client.post("forward_backward", waiting | given)
        await self.client.post("cancel_future", {"request_id": asked["request_id"]})
        for path in kept:
            run, _, place = path.removeprefix("tinker://").partition("/")
            await self.client.delete(f"training_runs/{run}/checkpoints/{place}")
        await self.client.post("session_heartbeat", {"session_id": self.session})
        late = {"model_id": self.model, "seq_id": number, "adam_params": {"learning_rate": 0.0}}
        await self.client.result(await self.client.post("optim_step", late))
        gone = await self.client.post("unload_model", {"model_id": self.model})
        await self.client.result(gone)
        path = f"sessions/{self.session}/finish"
        await self.client.post(path, {"reason": {"type": "success"}})

    async def saved(self, operation: str, name: str) -> str:
        return str((await self.of_model(operation, {"path": name}))["path"])


async def play(server: ServerProcess, operations: int, done: Counter[str]) -> None:
    """Days of all clients until so many operations are done."""

    async def days(number: int) -> None:
        client = Client(server, number, done)
        await client.connect()
        while done.total() < operations:
            await Day(client).live()
        client.lines[1].close()

    await asyncio.gather(*map(days, range(CLIENTS)))


def resident(server: ServerProcess) -> float:
    """MiB that a process holds, once what was freed is given back: every second, if asked."""
    for _ in range(LOOKS):
        httpx.get(f"{server.url}/api/v1/healthz").raise_for_status()
        time.sleep(GIVE_BACK_EVERY)
    status = Path(f"/proc/{server.pid}/status").read_text()
    return int(status.split("VmRSS:")[1].split()[0]) / MIB


def soak(operations: int, lines: int, options: list[str]) -> float:
    """Play it and print it; how many times the memory of the first operations the end took."""
    done: Counter[str] = Counter()
    with served_process("--seed", "0", *options) as server:
        begun, ratio, first = time.monotonic(), 1.0, 0.0
        for line in range(lines + 1):
            asyncio.run(play(server, FIRST + (operations - FIRST) * line // lines, done))
            held = resident(server)
            first = first or held
            ratio, passed = held / first, time.monotonic() - begun
            print(f"{done.total():>9} operations {held:7.1f} MiB {ratio:5.2f} {passed:6.0f} s")
            sys.stdout.flush()
    print(", ".join(f"{name} {number}" for name, number in sorted(done.items())))
    return ratio


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--operations", type=int, default=1_000_000)
    parser.add_argument("--lines", type=int, default=20, help="looks at the memory on the way")
    parser.add_argument("options", nargs="*", help="of the server, after --")
    asked = parser.parse_args()
    return 0 if soak(asked.operations, asked.lines, asked.options) <= LIMIT else 1


if __name__ == "__main__":
    sys.exit(main())
