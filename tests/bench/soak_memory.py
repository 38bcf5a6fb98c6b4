"""Memory of a server after ten thousand operations, and after many more.

    python tests/bench/soak_memory.py --operations 1000000

Operations are samples of one token, each submitted and read; sessions come and go. Prints the
resident size on the way, and fails when the end is above 1.3 times what ten thousand took.
"""

import argparse
import asyncio
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

BASE = "Qwen/Qwen3-8B"
FIRST, PER_SESSION, CLIENTS, LIMIT = 10_000, 2_500, 8, 1.3
PARAMS = {"max_tokens": 1, "seed": 1}
PROMPT = {"chunks": [{"type": "encoded_text", "tokens": [1, 2, 3]}]}


class Client:
    """One kept connection that speaks just enough HTTP."""

    def __init__(self, port: int, key: str) -> None:
        self.port, self.key = port, key

    async def open(self) -> "Client":
        self.reader, self.writer = await asyncio.open_connection("127.0.0.1", self.port)
        return self

    async def post(self, path: str, body: Any) -> Any:
        data = json.dumps(body).encode()
        head = (
            f"POST /api/v1/{path} HTTP/1.1\r\nhost: x\r\nx-api-key: {self.key}\r\n"
            f"content-type: application/json\r\ncontent-length: {len(data)}\r\n\r\n"
        )
        self.writer.write(head.encode() + data)
        answer = await self.reader.readuntil(b"\r\n\r\n")
        size = re.search(rb"content-length: (\d+)", answer, re.IGNORECASE)
        assert size is not None, answer
        told = json.loads(await self.reader.readexactly(int(size[1])))
        assert answer.startswith(b"HTTP/1.1 200"), told
        return told


async def one_client(port: int, number: int, operations: int) -> None:
    client = await Client(port, f"tml-soak-{number}").open()
    for start in range(0, operations, PER_SESSION):
        told = {"tags": [], "user_metadata": None, "sdk_version": "0.38.0"}
        session = (await client.post("create_session", told))["session_id"]
        body = {"session_id": session, "sampling_session_seq_id": 0, "base_model": BASE}
        sampler = (await client.post("create_sampling_session", body))["sampling_session_id"]
        for seq in range(min(PER_SESSION, operations - start)):
            asked = {"sampling_session_id": sampler, "seq_id": seq, "prompt": PROMPT}
            submitted = await client.post("asample", {**asked, "sampling_params": PARAMS})
            await client.post("retrieve_future", {"request_id": submitted["request_id"]})
        await client.post(f"sessions/{session}/finish", {"reason": {"type": "success"}})
    client.writer.close()


async def play(port: int, first: int, operations: int) -> None:
    share = operations // CLIENTS
    await asyncio.gather(*[one_client(port, first + n, share) for n in range(CLIENTS)])


def resident(process: subprocess.Popen[str]) -> float:
    """MiB that a process holds."""
    status = Path(f"/proc/{process.pid}/status").read_text()
    found = re.search(r"VmRSS:\s+(\d+)", status)
    assert found is not None
    return int(found[1]) / 1024


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--operations", type=int, default=1_000_000)
    parser.add_argument("--steps", type=int, default=10, help="lines on the way")
    asked = parser.parse_args()
    command = [sys.executable, "-m", "tinker_mock.server", "--port", "0", "--seed", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        port = int(server.stdout.readline().rsplit(":", 1)[1])
        try:
            asyncio.run(play(port, 0, FIRST))
            after_first = resident(server)
            print(f"{FIRST:>9} operations  {after_first:7.1f} MiB", flush=True)
            each = (asked.operations - FIRST) // asked.steps
            for step in range(1, asked.steps + 1):
                asyncio.run(play(port, step * CLIENTS, each))
                held = resident(server)
                ratio = held / after_first
                done = FIRST + step * each
                print(f"{done:>9} operations  {held:7.1f} MiB  {ratio:.2f}", flush=True)
        finally:
            server.terminate()
    return 0 if ratio <= LIMIT else 1


if __name__ == "__main__":
    sys.exit(main())
