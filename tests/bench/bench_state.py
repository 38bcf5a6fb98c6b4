"""What it costs that state lasts: CPU of a train step in memory and with --data-dir, and the disk.

A train step is forward_backward and optim_step, each submitted and read, from one client. The two
servers train in turn, a short round each. Prints the server CPU of a step, over all rounds and what
was written between them, its ratio, and the size of the directory after 1,000 steps.

Then what a second process brings that shares a PostgreSQL: samples that one and two workers can
give in a second, each with one core to itself and with load and database elsewhere. On a machine
without cores to spare that is counted: samples, by the CPU seconds of the worker that had most to
do. Eight clients sample, each through two connections, so that workers also ask each other.
"""

from __future__ import annotations

import asyncio
import signal
import tempfile
import time
from pathlib import Path

from tests.bench.crash import BASE, Client, Server, Wire
from tests.bench.raw_http import cpu_seconds
from tinker_mock.suite.postgres import NoPostgres, postgres

STEPS, WARM_UP, ROUNDS = 25, 50, 60
USERS, SAMPLES = 8, 60


class Trainer(Client):
    """Trains and does nothing else."""

    async def begin(self) -> None:
        told = {"tags": [], "user_metadata": None, "sdk_version": "0.38.0"}
        session = (await self.wire.post("create_session", told))["session_id"]
        body = {"session_id": session, "model_seq_id": 0, "base_model": BASE}
        made = await self.wire.post("create_model", {**body, "lora_config": {"rank": 8}})
        self.seen.model = made["model_id"]
        await self.result(made["request_id"])

    async def step(self, step: int) -> None:
        model, seq = self.seen.model, 2 * step
        trained = await self.submit("forward_backward", self.batch(model, seq + 1, step))
        body = {"model_id": model, "seq_id": seq + 2, "adam_params": {"learning_rate": 1e-4}}
        stepped = await self.submit("optim_step", body)
        await self.result(trained)
        await self.result(stepped)


class Sampler(Client):
    """Samples from the base model, through two connections in turn."""

    def __init__(self, port: int, number: int) -> None:
        super().__init__([port], number)
        self.wires = [Wire([port], f"tml-samples-{number}") for _ in range(2)]

    async def begin(self) -> None:
        """The first connection opens everything."""
        self.wire = self.wires[0]
        told = {"tags": [], "user_metadata": None, "sdk_version": "0.38.0"}
        session = (await self.wire.post("create_session", told))["session_id"]
        body = {"session_id": session, "sampling_session_seq_id": 0, "base_model": BASE}
        self.sampler = (await self.wire.post("create_sampling_session", body))[
            "sampling_session_id"
        ]

    async def sample(self, first: int, count: int) -> None:
        """So many, one after the other."""
        for number in range(first, first + count):
            prompt = {"chunks": [{"type": "encoded_text", "tokens": [number % 900 + 5] * 64}]}
            body = {"sampling_session_id": self.sampler, "seq_id": number + 1, "prompt": prompt}
            self.wire = self.wires[number % 2]
            asked = await self.submit("asample", {**body, "sampling_params": {"max_tokens": 64}})
            self.wire = self.wires[(number // 2) % 2]
            await self.result(asked)

    def close(self) -> None:
        """End both connections."""
        for wire in self.wires:
            wire.close()


def cpu(server: Server) -> float:
    """Seconds of CPU that a server has used."""
    assert server.process is not None
    return cpu_seconds(server.process.pid)


def workers_of(server: Server) -> list[int]:
    """The processes that serve."""
    assert server.process is not None
    pid = server.process.pid
    found = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [int(one) for one in found] or [pid]


async def sampled(server: Server) -> tuple[float, float]:
    """Samples a second: by the CPU of the busiest worker, and by the clock."""
    users = [Sampler(server.port, number) for number in range(USERS)]
    for user in users:
        await user.begin()
    await asyncio.gather(*(user.sample(0, WARM_UP) for user in users))
    pids = workers_of(server)
    before, began = [cpu_seconds(pid) for pid in pids], time.monotonic()
    await asyncio.gather(*(user.sample(WARM_UP, SAMPLES) for user in users))
    passed = time.monotonic() - began
    used = [cpu_seconds(pid) - was for pid, was in zip(pids, before, strict=True)]
    for user in users:
        user.close()
    return USERS * SAMPLES / max(used), USERS * SAMPLES / passed


def samples() -> None:
    """One worker and two, each on an empty store."""
    found = {}
    for count in (1, 2):
        with postgres() as store:
            server = Server("--seed", "0", "--store", store.address, "--workers", str(count))
            server.start()
            try:
                found[count], clock = asyncio.run(sampled(server))
            finally:
                server.end(signal.SIGTERM)
        print(f"workers {count} {found[count]:6.0f} samples a second of a core each", end="")
        print(f" ({clock:.0f} here, with load and database on the same cores)")
    print(f"ratio     {found[2] / found[1]:6.2f} (at least 1.7)")


async def play(servers: dict[str, Server]) -> dict[str, float]:
    """CPU seconds a step, by the server's name."""
    users = {name: Trainer([server.port], 1) for name, server in servers.items()}
    for user in users.values():
        await user.begin()
        for step in range(WARM_UP):
            await user.step(step)
    before = {name: cpu(server) for name, server in servers.items()}
    for number in range(ROUNDS):
        first = WARM_UP + number * STEPS
        for user in users.values():
            for step in range(first, first + STEPS):
                await user.step(step)
    for user in users.values():
        await user.wire.get("/api/v1/sessions")  # answers once everything is kept
        user.wire.close()
    steps = ROUNDS * STEPS
    return {name: (cpu(server) - before[name]) / steps for name, server in servers.items()}


def train_steps() -> None:
    """In memory and with a directory."""
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "data"
        servers = {
            "memory": Server("--seed", "0"),
            "data-dir": Server("--seed", "0", "--data-dir", str(data)),
        }
        for server in servers.values():
            server.start()
        try:
            spent = asyncio.run(play(servers))
        finally:
            for server in servers.values():
                server.end(signal.SIGTERM)
        size = sum(file.stat().st_size for file in data.rglob("*") if file.is_file())
    steps = WARM_UP + ROUNDS * STEPS
    for name, seconds in spent.items():
        print(f"{name:<9} {seconds * 1000:6.2f} ms of server CPU a train step")
    print(f"ratio     {spent['data-dir'] / spent['memory']:6.2f} (at most 1.3)")
    print(f"disk      {size / 1024 / steps * 1000:6.0f} KiB for 1,000 steps")


def main() -> None:
    train_steps()
    try:
        samples()
    except NoPostgres as error:
        print(f"workers   not measured: {error}")


if __name__ == "__main__":
    main()
