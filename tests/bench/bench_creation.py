"""How long a client waits for `create_model`: from the request to the promise's result, by wall.

Cold: a new server, and nothing of the tokenizer kept on the disk. Warm: a new server, which finds
there what the one before has made, and imports numpy and the engine meanwhile. Ready: the same, of
a server that had a second for itself. Again: another model on a server that has one of the kind.
Each with the processor time that the server spent meanwhile, which a busy machine does not stretch
as much.

make bench BENCH=creation    (or: python tests/bench/bench_creation.py [base model …])
"""

import statistics
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from tempfile import TemporaryDirectory
from typing import Any

from tests.bench.raw_http import RawClient, process_seconds
from tests.server.commands import served_process

MODELS = ("Qwen/Qwen3-8B", "openai/gpt-oss-20b")
ROUNDS, AGAIN = 5, 20
WANTED = {"cold": 1000.0, "warm": 100.0, "ready": 100.0, "again": 100.0}
TOLD: dict[str, Any] = {"tags": [], "sdk_version": "0.38.0", "user_metadata": None}


def milliseconds(client: RawClient, pid: int, base: str) -> tuple[float, float, float]:
    """Until a model is promised, until it is there, and of the server's processors for it."""
    session = client.post("create_session", TOLD)["session_id"]
    opened, spent = time.perf_counter(), process_seconds(pid)
    lora = {"base_model": base, "lora_config": {"rank": 8}, "model_seq_id": 0}
    answer = client.post("create_model", {"session_id": session} | lora)
    promised = time.perf_counter()
    poll = {"request_id": answer["request_id"]}
    while client.post("retrieve_future", poll).get("type") == "try_again":
        pass
    there = time.perf_counter()
    spent = process_seconds(pid) - spent
    return (promised - opened) * 1e3, (there - opened) * 1e3, spent * 1e3


@contextmanager
def served(cache: str, bytecode: str) -> Iterator[tuple[RawClient, int]]:
    """A server with its bytecode, as whatever pip installed has."""
    told = {"PYTHONPYCACHEPREFIX": bytecode, "PYTHONDONTWRITEBYTECODE": ""}
    with served_process(TINKER_MOCK_CACHE=cache, **told) as running:
        yield RawClient(running.url), running.pid


def measure(base: str, bytecode: str) -> dict[str, list[tuple[float, float, float]]]:
    """By kind, what every model took."""
    found: dict[str, list[tuple[float, float, float]]] = {kind: [] for kind in WANTED}
    for _ in range(ROUNDS):
        with TemporaryDirectory() as cache:
            with served(cache, bytecode) as server:
                found["cold"].append(milliseconds(*server, base))
            with served(cache, bytecode) as server:
                found["warm"].append(milliseconds(*server, base))
                found["again"] += [milliseconds(*server, base) for _ in range(AGAIN)]
            with served(cache, bytecode) as server:
                time.sleep(1)
                found["ready"].append(milliseconds(*server, base))
    return found


def main() -> None:
    """Print medians and the longest."""
    bases = sys.argv[1:] or MODELS
    with TemporaryDirectory() as bytecode:
        with served("off", bytecode) as server:
            milliseconds(*server, bases[0])
        measured = {base: measure(base, bytecode) for base in bases}
    for base, kinds in measured.items():
        print(base)
        for kind, rows in kinds.items():
            promised, there, spent = map(statistics.median, zip(*rows, strict=True))
            longest = max(row[1] for row in rows)
            told = f"there after {there:7.1f} ms (longest {longest:7.1f})"
            beside = f"promised after {promised:6.1f} ms, {spent:6.1f} ms CPU"
            print(f"  {kind:6} {told}, {beside}; wanted: {WANTED[kind]:g} ms")


if __name__ == "__main__":
    main()
