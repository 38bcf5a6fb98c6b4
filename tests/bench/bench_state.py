"""What it costs that state lasts: CPU of a train step in memory and with --data-dir, and the disk.

A train step is forward_backward and optim_step, each submitted and read, from one client. Prints
server CPU a step for both, their ratio, and the size of the directory after 1,000 steps.
"""

from __future__ import annotations

import asyncio
import os
import signal
import tempfile
from pathlib import Path

from tests.bench.crash import BASE, Client, Server

STEPS, WARM_UP, ROUNDS = 250, 30, 4
TICK = os.sysconf("SC_CLK_TCK")


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


def cpu(server: Server) -> float:
    """Seconds of CPU that a server has used."""
    assert server.process is not None
    told = Path(f"/proc/{server.process.pid}/stat").read_text().rsplit(") ", 1)[1].split()
    return (int(told[11]) + int(told[12])) / TICK


async def play(servers: dict[str, Server]) -> dict[str, float]:
    """CPU seconds a step, by the server's name; rounds alternate, the least of them counts."""
    users = {name: Trainer([server.port], 1) for name, server in servers.items()}
    for user in users.values():
        await user.begin()
        for step in range(WARM_UP):
            await user.step(step)
    least = dict.fromkeys(servers, float("inf"))
    for round_number in range(ROUNDS):
        for name, user in users.items():
            before = cpu(servers[name])
            first = WARM_UP + round_number * STEPS
            for step in range(first, first + STEPS):
                await user.step(step)
            least[name] = min(least[name], (cpu(servers[name]) - before) / STEPS)
    for user in users.values():
        user.wire.close()
    return least


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "data"
        servers = {
            "memory": Server("--seed", "0"),
            "data-dir": Server("--seed", "0", "--data-dir", str(data)),
        }
        for server in servers.values():
            server.start()
        try:
            least = asyncio.run(play(servers))
        finally:
            for server in servers.values():
                server.end(signal.SIGTERM)
        size = sum(file.stat().st_size for file in data.rglob("*") if file.is_file())
    steps = WARM_UP + ROUNDS * STEPS
    for name, seconds in least.items():
        print(f"{name:<9} {seconds * 1000:6.2f} ms of server CPU a train step")
    print(f"ratio     {least['data-dir'] / least['memory']:6.2f} (at most 1.3)")
    print(f"disk      {size / 1024 / steps * 1000:6.0f} KiB for 1,000 steps")


if __name__ == "__main__":
    main()
