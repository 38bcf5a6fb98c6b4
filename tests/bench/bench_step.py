"""A training step through real SDKs: server CPU by the system's count, and wall time.

8 data of 128 tokens, forward_backward + optim_step + polls, pipelined. Beside the mock on each
server that can carry it: a server that answers from a table, which is the limit, and the peers
whose start scripts are in `shared/peers` beside the repository, as far as they are installed
(PEERS=1 installs them). Needs the SDK environment: `tinker-mock sdk-env`.

make bench BENCH=step    (or: python tests/bench/bench_step.py [SDK release …])
"""

import json
import os
import signal
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.bench.raw_http import cpu_seconds
from tests.server.commands import served_process
from tinker_mock.contracts.locations import ROOT
from tinker_mock.suite.sdk.environment import newest, process

STEPS, ROUNDS = 50, 3
RELEASES = ("0.24.1", "0.25.0", newest())
SERVERS = ("hypercorn", "uvicorn", "granian")
MODEL = "Qwen/Qwen3-8B"
WANTED_CPU, WANTED_WALL, WANTED_PEER = 4.0, 1.3, 0.5
SCRIPTS = Path(os.environ.get("PEERS_SCRIPTS") or ROOT.parent / "shared" / "peers")
HOME = Path(os.environ.get("PEERS_HOME") or Path.home() / ".cache" / "tinker-peers")
HERE = Path(__file__).parent


@dataclass(frozen=True)
class Peer:
    """Another server: its start script, the SDK it is made for, and its model."""

    name: str
    sdk: str
    model: str

    @property
    def script(self) -> Path:
        return SCRIPTS / f"start_{self.name}.sh"

    @property
    def installed(self) -> bool:
        wanted = bool(os.environ.get("PEERS"))
        return self.script.is_file() and (wanted or (HOME / self.name).is_dir())


PEERS = (Peer("tuft", "0.25.0", "Qwen/Qwen3-0.6B"), Peer("hatchery", "0.24.1", "Qwen/Qwen3-0.6B"))


@dataclass(frozen=True)
class Target:
    """A server under measurement: the processes whose time counts, and the model it offers."""

    name: str
    url: str
    pid: int
    key: str = "tml-bench"
    model: str = MODEL


def family(pid: int) -> list[int]:
    """A process and all that descend from it."""
    listed = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [pid, *(one for child in listed for one in family(int(child)))]


def spent(target: Target) -> float:
    return sum(map(cpu_seconds, family(target.pid)))


def step_cost(target: Target, release: str) -> tuple[float, float]:
    """Milliseconds of server CPU and of wall time a step: the least and the median."""
    python, environment = process(release, TINKER_BASE_URL=target.url, TINKER_API_KEY=target.key)
    command = [python, "-W", "ignore", str(HERE / "sdk_steps.py"), target.model]
    with subprocess.Popen(
        [*command, str(STEPS), str(ROUNDS)],
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as client:
        assert client.stdin
        assert client.stdout
        costs, walls = [], []
        client.stdout.readline()
        for _ in range(ROUNDS):
            begun = spent(target)
            client.stdin.write("\n")
            client.stdin.flush()
            walls += json.loads(client.stdout.readline())
            costs.append((spent(target) - begun) / STEPS)
    return 1e3 * min(costs), 1e3 * statistics.median(walls)


@contextmanager
def mock(server: str) -> Iterator[Target]:
    with served_process("--server", server) as running:
        yield Target(f"mock on {server}", running.url, running.pid)


@contextmanager
def table() -> Iterator[Target]:
    """The limit: answers from a table that a mock filled."""
    with served_process() as running:
        command = [sys.executable, "-m", "tests.bench.table_server", running.url]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
            assert server.stdout
            try:
                yield Target("a table (the limit)", server.stdout.readline().strip(), server.pid)
            finally:
                server.terminate()


@contextmanager
def peer(one: Peer) -> Iterator[Target]:
    """A peer, started by its script, which installs it when it is not there."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = ["bash", str(one.script), str(port)]
    quiet = subprocess.DEVNULL
    with subprocess.Popen(command, stdout=quiet, stderr=quiet, start_new_session=True) as server:
        try:
            until_accepting(server, port)
            url = f"http://127.0.0.1:{port}"
            yield Target(one.name, url, server.pid, "tml-dummy", one.model)
        finally:
            os.killpg(server.pid, signal.SIGTERM)


def until_accepting(server: "subprocess.Popen[bytes]", port: int, patience: float = 900) -> None:
    """Return once something listens; raises RuntimeError for a server that does not start."""
    end = time.monotonic() + patience
    while time.monotonic() < end and server.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            time.sleep(0.2)
        else:
            return
    raise RuntimeError(f"{server.args!r} does not serve")


def measured_peer(one: Peer) -> tuple[float, float] | None:
    """Its step; None with the reason told when it is not there or does not work."""
    if not one.installed:
        print(f"  {one.name:22} not installed (PEERS=1 installs it)")
        return None
    try:
        with peer(one) as target:
            return step_cost(target, one.sdk)
    except (RuntimeError, ValueError, OSError) as problem:
        print(f"  {one.name:22} could not be measured: {problem}")
        return None


def main() -> None:
    """Print the table."""
    releases = sys.argv[1:] or RELEASES
    print("8 x 128 tokens, forward_backward + optim_step + polls, pipelined: a step")
    for release in releases:
        print(f"SDK {release}")
        with ExitStack() as stack:
            targets = [stack.enter_context(mock(server)) for server in SERVERS]
            targets.append(stack.enter_context(table()))
            rows = {target.name: step_cost(target, release) for target in targets}
        limit = rows["a table (the limit)"]
        for name, (cpu, wall) in rows.items():
            ratios = f"{cpu / limit[0]:5.2f}x and {wall / limit[1]:5.2f}x the table's"
            print(f"  {name:22} {cpu:6.2f} ms CPU {wall:7.2f} ms wall  {ratios}")
        for one in (one for one in PEERS if one.sdk == release):
            found = measured_peer(one)
            if found is not None:
                ratio = rows["mock on hypercorn"][0] / found[0]
                told = f"{found[0]:6.2f} ms CPU {found[1]:7.2f} ms wall"
                print(f"  {one.name:22} {told}  mock on hypercorn: {ratio:.2f}x its CPU")
    limits = f"{WANTED_PEER}x a peer's, {WANTED_WALL}x the table's wall time"
    print(f"wanted: {WANTED_CPU} ms CPU, {limits}")


if __name__ == "__main__":
    main()
