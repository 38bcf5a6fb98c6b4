"""kill -9 again and again under clients that train and sample, and what they saw in the end.

    python tests/bench/crash.py --points 200 --clients 20 --seed 0
    python tests/bench/crash.py --store postgresql://… --servers 3    # "own": a PostgreSQL made now

A server is killed at random moments and started again on the same directory or store; clients
repeat what was not answered, and ask several servers in turn. In the end every loss, sample and
step count must be that of a run that nobody disturbed: then every acknowledged operation ran
exactly once, and in order.
"""

import argparse
import asyncio
import itertools
import json
import random
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

from tinker_mock.suite.postgres import postgres

BASE = "Qwen/Qwen3-8B"
PAUSE = 0.02
START_LIMIT = 60.0
LEAST = 2
"""Steps that every client makes, however slow the machine is."""


class Refused(AssertionError):
    """An answer that no restart explains."""


@dataclass
class Seen:
    """What one client was told, by step."""

    losses: list[float] = field(default_factory=list)
    samples: list[list[int]] = field(default_factory=list)
    results: dict[str, str] = field(default_factory=dict)
    """Request id -> result, of the last steps."""
    model: str = ""


class Wire:
    """Requests that are repeated until somebody answers, to each of the ports in turn."""

    def __init__(self, ports: Sequence[int], key: str) -> None:
        self.ports, self.key = ports, key
        self.repeated = 0
        self._turns = itertools.cycle(ports)
        self._streams: dict[int, tuple[asyncio.StreamReader, asyncio.StreamWriter]] = {}

    async def post(self, path: str, body: Any) -> Any:
        while True:
            port = next(self._turns)
            try:
                status, told = await self._once(port, "POST", f"/api/v1/{path}", body)
            except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
                self._close(port)
                self.repeated += 1
                await asyncio.sleep(PAUSE)
                continue
            if status == 200:
                return told
            if status not in (408, 503):
                raise Refused(f"{path} {body}: {status} {told}")
            await asyncio.sleep(PAUSE)

    async def get(self, path: str) -> Any:
        return (await self._once(next(self._turns), "GET", path, None))[1]

    async def _once(self, port: int, method: str, path: str, body: Any) -> tuple[int, Any]:
        if port not in self._streams:
            self._streams[port] = await asyncio.open_connection("127.0.0.1", port)
        reader, writer = self._streams[port]
        data = b"" if body is None else json.dumps(body).encode()
        head = (
            f"{method} {path} HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\nx-api-key: {self.key}\r\n"
            f"content-type: application/json\r\ncontent-length: {len(data)}\r\n\r\n"
        )
        writer.write(head.encode() + data)
        start = await reader.readuntil(b"\r\n\r\n")
        size = re.search(rb"content-length: (\d+)", start, re.IGNORECASE)
        content = await reader.readexactly(int(size[1])) if size else b""
        return int(start.split(b" ", 2)[1]), json.loads(content or b"null")

    def close(self) -> None:
        for port in list(self._streams):
            self._close(port)

    def _close(self, port: int) -> None:
        streams = self._streams.pop(port, None)
        if streams is not None:
            streams[1].close()


class Client:
    """One that trains its own model on its own data, and samples from it now and then."""

    def __init__(self, ports: Sequence[int], number: int) -> None:
        self.wire, self.number = Wire(ports, f"tml-crash-{number}"), number
        self.seen = Seen()

    async def run(self, enough: Any) -> Seen:
        """Train until `enough(steps done)`."""
        told = {"tags": [], "user_metadata": None, "sdk_version": "0.38.0"}
        session = (await self.wire.post("create_session", told))["session_id"]
        body = {"session_id": session, "model_seq_id": 0, "base_model": BASE}
        body["lora_config"] = {"rank": 4, "seed": self.number}
        made = await self.wire.post("create_model", body)
        self.seen.model = made["model_id"]
        await self.result(made["request_id"])
        step = 0
        while not enough(step):
            await self.step(step)
            step += 1
        self.wire.close()
        return self.seen

    async def step(self, step: int) -> None:
        model, seq = self.seen.model, 4 * step
        trained = await self.submit("forward_backward", self.batch(model, seq + 1, step))
        rate = {"learning_rate": 1e-3}
        body = {"model_id": model, "seq_id": seq + 2, "adam_params": rate}
        stepped = await self.submit("optim_step", body)
        body = {"model_id": model, "seq_id": seq + 3, "sampling_session_seq_id": step}
        saved = await self.submit("save_weights_for_sampler", body)
        body = {"model_id": model, "seq_id": seq + 4, "path": "last", "overwrite": True}
        kept = await self.submit("save_weights", body)
        told = await self.result(trained)
        self.seen.losses.append(told["metrics"]["loss:sum"])
        await self.result(stepped)
        sampler = (await self.result(saved))["sampling_session_id"]
        await self.result(kept)
        prompt = {"chunks": [{"type": "encoded_text", "tokens": [step + 1, 7, 9]}]}
        params = {"max_tokens": 5, "seed": step}
        body = {"sampling_session_id": sampler, "seq_id": 1, "prompt": prompt}
        sampled = await self.submit("asample", {**body, "sampling_params": params})
        self.seen.samples.append((await self.result(sampled))["sequences"][0]["tokens"])

    def batch(self, model: str, seq_id: int, step: int) -> dict[str, Any]:
        tokens = [(self.number * 31 + step % 3 * 7 + n * 13) % 900 + 5 for n in range(12)]
        size = len(tokens) - 1
        inputs = {
            "target_tokens": {"data": tokens[1:], "dtype": "int64", "shape": [size]},
            "weights": {"data": [1.0] * size, "dtype": "float32", "shape": [size]},
        }
        chunks = [{"type": "encoded_text", "tokens": tokens[:-1]}]
        datum = {"model_input": {"chunks": chunks}, "loss_fn_inputs": inputs}
        given = {"data": [datum], "loss_fn": "cross_entropy"}
        return {"model_id": model, "seq_id": seq_id, "forward_backward_input": given}

    async def submit(self, path: str, body: dict[str, Any]) -> str:
        return str((await self.wire.post(path, body))["request_id"])

    async def result(self, request_id: str) -> Any:
        told = await self.wire.post("retrieve_future", {"request_id": request_id})
        if "error" in told:
            raise Refused(f"{request_id}: {told}")
        self.seen.results[request_id] = json.dumps(told)
        return told


class Server:
    """A process on a fixed port, killed and started as often as wanted."""

    def __init__(self, *options: str) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.options = options
        self.process: subprocess.Popen[str] | None = None

    def start(self) -> None:
        command = [sys.executable, "-m", "tinker_mock.server", "--port", str(self.port)]
        self.process = subprocess.Popen(
            [*command, "--quiet", *self.options], stdout=subprocess.PIPE, text=True
        )
        assert self.process.stdout is not None
        if not self.process.stdout.readline().startswith("tinker-mock ready"):
            raise Refused(f"the server did not start: exit {self.process.wait()}")

    def end(self, how: signal.Signals) -> None:
        assert self.process is not None
        self.process.send_signal(how)
        self.wait(START_LIMIT)

    def wait(self, seconds: float) -> None:
        """Until it has ended by itself."""
        assert self.process is not None
        self.process.wait(seconds)
        assert self.process.stdout is not None
        self.process.stdout.close()


async def disturbed(
    servers: Sequence[Server], clients: int, points: int, seed: int, longest: float
) -> list[Seen]:
    """What clients saw while a server was killed at `points` moments."""
    dice, over = random.Random(seed), asyncio.Event()
    for server in servers:
        await asyncio.to_thread(server.start)
    ports = [server.port for server in servers]
    playing = [Client(ports, number) for number in range(clients)]
    tasks = [
        asyncio.create_task(one.run(lambda done: over.is_set() and done >= LEAST))
        for one in playing
    ]
    for _ in range(points):
        await asyncio.sleep(dice.uniform(0.0, longest))
        server = dice.choice(servers)
        server.end(signal.SIGKILL)
        await asyncio.to_thread(server.start)
        if any(task.done() for task in tasks):
            break
    over.set()
    seen = list(await asyncio.gather(*tasks))
    await check_what_is_there(ports, playing)
    repeated = sum(one.wire.repeated for one in playing)
    steps = [len(one.losses) for one in seen]
    print(f"{points} kills, {clients} clients, {sum(steps)} steps, {repeated} requests repeated")
    return seen


async def check_what_is_there(ports: Sequence[int], clients: list[Client]) -> None:
    """Every result can be read again, and every model counts the steps that were told."""
    for client in clients:
        for request_id, told in list(client.seen.results.items())[-200:]:
            again = await client.wire.post("retrieve_future", {"request_id": request_id})
            if json.dumps(again) != told:
                raise Refused(f"{request_id} said {told}, now {again}")
        client.wire.close()
    wire = Wire(ports, "tml-crash-0")
    models = (await wire.get("/_mock/models"))["models"]
    wire.close()
    counted = {model["model_id"]: model["steps"] for model in models}
    for client in clients:
        if counted[client.seen.model] != len(client.seen.losses):
            raise Refused(
                f"{client.seen.model}: {counted[client.seen.model]} steps were run, "
                f"{len(client.seen.losses)} were acknowledged"
            )


async def undisturbed(server: Server, steps: list[int]) -> list[Seen]:
    """What clients see who train for so many steps in peace."""
    await asyncio.to_thread(server.start)
    runs = [
        Client([server.port], number).run(lambda done, wanted=wanted: done >= wanted)
        for number, wanted in enumerate(steps)
    ]
    return list(await asyncio.gather(*runs))


def compare(found: list[Seen], expected: list[Seen]) -> None:
    """Raise Refused where a client saw something else than in peace."""
    for number, (one, other) in enumerate(zip(found, expected, strict=True)):
        if one.losses != other.losses:
            raise Refused(f"client {number}: losses {one.losses} instead of {other.losses}")
        if one.samples != other.samples:
            raise Refused(f"client {number}: samples {one.samples} instead of {other.samples}")


def crash(
    place: Sequence[str],
    points: int,
    clients: int,
    seed: int,
    longest: float = 0.6,
    servers: int = 1,
) -> int:
    """Play it; returns how many steps were compared. Raises Refused.

    `place`: the options that say where the state is kept. `longest`: seconds between two kills, at
    most.
    """
    killed = [Server("--seed", str(seed), *place) for _ in range(servers)]
    try:
        found = asyncio.run(disturbed(killed, clients, points, seed, longest))
    finally:
        for server in killed:
            server.end(signal.SIGTERM)
    peace = Server("--seed", str(seed))
    try:
        expected = asyncio.run(undisturbed(peace, [len(one.losses) for one in found]))
    finally:
        peace.end(signal.SIGTERM)
    compare(found, expected)
    return sum(len(one.losses) for one in found)


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--points", type=int, default=200)
    parser.add_argument("--clients", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--longest", type=float, default=2.0, metavar="S")
    parser.add_argument("--store", metavar="URL", help="instead of a data directory; `own`")
    parser.add_argument("--servers", type=int, default=3, help="that share the store")
    asked = parser.parse_args()
    began = time.monotonic()
    with ExitStack() as stack:
        own = asked.store == "own"
        store = stack.enter_context(postgres()).address if own else asked.store
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        place = ("--store", store) if store else ("--data-dir", f"{folder}/data")
        servers = asked.servers if store else 1
        steps = crash(place, asked.points, asked.clients, asked.seed, asked.longest, servers)
    seconds = time.monotonic() - began
    print(f"{steps} steps ran exactly once and in order ({seconds:.0f} s)")
    return 0


if __name__ == "__main__":
    sys.exit(main())
