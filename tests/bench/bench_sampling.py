"""What samples cost the server through the newest real SDK, by the operating system's count.

Single requests against one request for as many samples, in the same run; and many short ones, once
more over plain sockets: with their polls parked, and polled when they are ready.
Needs the SDK environment: `tinker-mock sdk-env`. make bench BENCH=sampling
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.bench.raw_http import RawClient, cpu_seconds, process_seconds
from tinker_mock.suite.sdk.environment import newest, process

MODEL = "Qwen/Qwen3-8B"
WANTED_RATIO, WANTED_RATE = 2.0, 1500
AT_ONCE, WANTED_EACH = 1000, 0.7

CLIENT = """
import sys, tinker
from tinker import types
requests, samples, tokens, seed = map(int, sys.argv[1:])
service = tinker.ServiceClient()
sampler = service.create_sampling_client(base_model=sys.stdin.readline().strip()).result()
params = types.SamplingParams(max_tokens=tokens, temperature=1.0, stop=[])

def ask(number):
    words = [151644, 872, 198, *range(1000 + number, 1060 + number), 151645, 198]
    prompt = types.ModelInput.from_ints(words)
    return sampler.sample(prompt=prompt, num_samples=samples, sampling_params=params)

ask(seed).result()
print("ready", flush=True)
sys.stdin.readline()
found = [f.result() for f in [ask(seed + n) for n in range(requests)]]
assert sum(len(s.tokens) for r in found for s in r.sequences) == requests * samples * tokens
print("done", flush=True)
"""


@contextmanager
def server() -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A mock in a process of its own, and its address."""
    command = [sys.executable, "-m", "tinker_mock.server", "--port", "0"]
    running = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        assert running.stdout is not None
        for line in running.stdout:
            if found := re.search(r"http://[\d.]+:\d+", line):
                yield running, found[0]
                break
    finally:
        running.terminate()
        running.wait()


def cost(
    running: subprocess.Popen[str], url: str, requests: int, samples: int, tokens: int
) -> float:
    """Seconds of the server's processor for so many requests of so many samples."""
    python, variables = process(newest(), TINKER_BASE_URL=url, TINKER_API_KEY="tml-bench")
    numbers = [str(n) for n in (requests, samples, tokens, 100 * requests)]
    client = subprocess.Popen(
        [python, "-c", CLIENT, *numbers],
        env=variables,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert client.stdin is not None
    assert client.stdout is not None
    client.stdin.write(f"{MODEL}\n")
    client.stdin.flush()
    assert client.stdout.readline() == "ready\n"
    before = process_seconds(running.pid)
    client.stdin.write("go\n")
    client.stdin.flush()
    assert client.stdout.readline() == "done\n"
    found = process_seconds(running.pid) - before
    client.kill()
    client.wait()
    return found


def at_once(pid: int, url: str, turn: int) -> tuple[float, float]:
    """Milliseconds of the server's processor for each of many concurrent samples of 32 tokens, and
    for each poll of them alone once they are ready; every client has its connection."""
    clients = [RawClient(url) for _ in range(AT_ONCE)]
    first = clients[0]
    told: dict[str, Any] = {"tags": [], "sdk_version": "0.38.0", "user_metadata": None}
    session = first.post("create_session", told)["session_id"]
    asked = {"session_id": session, "base_model": MODEL, "sampling_session_seq_id": 0}
    sampler = first.post("create_sampling_session", asked)["sampling_session_id"]

    def request(number: int) -> bytes:
        begin = 1000 + turn * AT_ONCE + number
        words = [151644, 872, 198, *range(begin, begin + 60), 151645, 198]
        body = {
            "sampling_session_id": sampler,
            "seq_id": number,
            "prompt": {"chunks": [{"type": "encoded_text", "tokens": words}]},
            "sampling_params": {"max_tokens": 32, "temperature": 1.0, "stop": []},
        }
        return first.request("asample", body)

    requests = [request(number) for number in range(AT_ONCE)]
    begun = cpu_seconds(pid)
    for client, content in zip(clients, requests, strict=True):
        client.send(content)
    polls = []
    for client in clients:
        promise = {"request_id": client.receive().value["request_id"]}
        polls.append(client.request("retrieve_future", promise, Accept="application/x-protobuf"))
        client.send(polls[-1])
    assert all(client.receive().status == 200 for client in clients)
    parked = cpu_seconds(pid)
    for client, content in zip(clients, polls, strict=True):
        client.send(content)
        assert client.receive().status == 200
    ready = cpu_seconds(pid)
    for client in clients:
        client.close()
    return (parked - begun) / AT_ONCE * 1e3, (ready - parked) / AT_ONCE * 1e3


def main() -> None:
    """Print the table."""
    if not Path("/proc/self/stat").exists():
        print("needs /proc to count a process's time: skipped")
        return
    with server() as (running, url):
        many = min(cost(running, url, 200, 1, 256) for _ in range(3))
        one = min(cost(running, url, 1, 200, 256) for _ in range(3))
        print(f"server CPU through SDK {newest()}")
        print(f"  200 requests of one 256-token sample    {1e3 * many:7.0f} ms")
        print(f"  one request of 200                      {1e3 * one:7.0f} ms")
        print(f"  ratio {many / one:.2f}, wanted: {WANTED_RATIO:.0f}")
        short = min(cost(running, url, 1000, 1, 32) for _ in range(3))
        print(f"  1,000 requests of one 32-token sample   {1e3 * short:7.0f} ms")
        print(f"  {1000 / short:,.0f} samples a second of CPU, wanted: {WANTED_RATE:,}")
        runs = [at_once(running.pid, url, turn) for turn in range(4)]
        each, poll = (min(column) for column in zip(*runs, strict=True))
        print(f"  1,000 at once over sockets              {each:7.3f} ms a sample with its poll")
        print(
            f"  a poll of one that is ready             {poll:7.3f} ms, wanted: {WANTED_EACH} each"
        )


if __name__ == "__main__":
    main()
