"""How long a server takes to end under parked polls and half-sent requests.

    make bench BENCH=shutdown    (or: bench_shutdown.py --polls 5000 --halves 500)

Prints the seconds from SIGTERM to the end of the process, and how the polls ended: each with a 503,
which SDKs repeat. Wanted: at most 3 s.
"""

import argparse
import asyncio
import json
import resource
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from tests.bench.crash import Server, Wire

LIMIT = 3.0
HOLD = "name: hold\nqueue:\n  completion:\n    - {manual: true}\n"
PARALLEL = 100


async def park(port: int, request_id: str, gate: asyncio.Semaphore) -> str:
    """How one poll ended."""
    body = json.dumps({"request_id": request_id}).encode()
    head = (
        f"POST /api/v1/retrieve_future HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\n"
        f"x-api-key: tml-park\r\ncontent-type: application/json\r\n"
        f"content-length: {len(body)}\r\n\r\n"
    )
    try:
        async with gate:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(head.encode() + body)
            await writer.drain()
        status = (await reader.readuntil(b"\r\n")).split()[1].decode()
        writer.close()
        return status
    except (OSError, asyncio.IncompleteReadError) as error:
        return type(error).__name__


async def half_open(port: int, gate: asyncio.Semaphore) -> asyncio.StreamWriter:
    """A connection whose request never ends."""
    async with gate:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"POST /api/v1/asample HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\n{")
    return writer


async def promises(port: int, count: int) -> list[str]:
    """Request ids of work that never completes."""
    wire = Wire([port], "tml-park")
    told = {"tags": [], "user_metadata": None, "sdk_version": "0.38.0"}
    session = (await wire.post("create_session", told))["session_id"]
    body = {"session_id": session, "sampling_session_seq_id": 0, "base_model": "Qwen/Qwen3-8B"}
    sampler = (await wire.post("create_sampling_session", body))["sampling_session_id"]
    prompt = {"chunks": [{"type": "encoded_text", "tokens": [1]}]}
    asked = {"sampling_session_id": sampler, "prompt": prompt, "sampling_params": {"max_tokens": 1}}
    made = [await wire.post("asample", {**asked, "seq_id": seq}) for seq in range(count)]
    wire.close()
    return [one["request_id"] for one in made]


async def play(server: Server, polls: int, halves: int) -> tuple[float, Counter[str]]:
    """Seconds that the server took to end, and how polls ended."""
    gate = asyncio.Semaphore(PARALLEL)
    ids = await promises(server.port, min(polls, 50))
    parked = [
        asyncio.create_task(park(server.port, ids[number % len(ids)], gate))
        for number in range(polls)
    ]
    open_ones = await asyncio.gather(*[half_open(server.port, gate) for _ in range(halves)])
    look = Wire([server.port], "tml-park")
    while (await look.get("/_mock/state"))["parked"] < polls:  # noqa: ASYNC110 (another process)
        await asyncio.sleep(0.1)
    look.close()
    process: subprocess.Popen[str] | None = server.process
    assert process is not None
    began = time.monotonic()
    process.send_signal(signal.SIGTERM)
    await asyncio.to_thread(process.wait, 60)
    seconds = time.monotonic() - began
    ended = Counter(await asyncio.gather(*parked))
    for writer in open_ones:
        writer.close()
    return seconds, ended


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--polls", type=int, default=5000)
    parser.add_argument("--halves", type=int, default=500)
    asked = parser.parse_args()
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    with tempfile.TemporaryDirectory() as folder:
        scenario = Path(folder) / "hold.yaml"
        scenario.write_text(HOLD)
        server = Server("--seed", "0", "--scenario", str(scenario), "--long-poll", "90")
        server.start()
        try:
            seconds, ended = asyncio.run(play(server, asked.polls, asked.halves))
        finally:
            assert server.process is not None
            server.process.kill()
    print(
        f"{asked.polls} polls, {asked.halves} half-sent requests: {seconds:.2f} s "
        f"(at most {LIMIT:g}); polls ended {dict(ended)}"
    )
    return 0 if seconds <= LIMIT else 1


if __name__ == "__main__":
    sys.exit(main())
