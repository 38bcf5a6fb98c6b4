"""Send drawn requests to a mock and say what it answered.

    python tests/abuse/fuzz.py --cases 100000 --seed 7

Prints figures and ends with 1 if there was a 5xx, a request without an answer, an answer that shows
what is another tenant's, a request that the mock sent somewhere, or memory beyond the bound.
"""

import argparse
import http.client
import json
import socket
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from tests.abuse.requests import SHOWING, Drawn, Generator
from tests.abuse.upheaval import upheaval
from tests.abuse.wire import lies
from tests.server.commands import served_process

PATIENCE = 60.0
"""Seconds until a request counts as hanging, on a busy machine."""
MOST_MEMORY = 1024
"""MiB of the server's memory at its peak."""
UPHEAVAL = 100
"""Cases between two operations that change the whole mock."""
SECRET = "what-is-anothers"


@dataclass
class Figures:
    """What came of a run."""

    statuses: Counter[int] = field(default_factory=Counter)
    operations: set[str] = field(default_factory=set)
    faults: list[str] = field(default_factory=list)
    upheavals: int = 0
    seconds: float = 0.0
    slowest: tuple[float, str] = (0.0, "")
    memory: int = 0

    def told(self) -> str:
        """The figures in lines."""
        by_class = Counter(f"{status // 100}xx" for status in self.statuses.elements())
        total = self.statuses.total()
        return "\n".join(
            [
                f"{total} requests, {len(self.operations)} operations, {self.seconds:.0f} s",
                "  " + ", ".join(f"{name}: {count}" for name, count in sorted(by_class.items())),
                f"  upheavals: {self.upheavals}",
                f"  peak memory of the server: {self.memory} MiB (bound {MOST_MEMORY})",
                f"  slowest: {self.slowest[0]:.2f} s, {self.slowest[1]}",
                f"  faults: {len(self.faults)}",
                *(f"    {fault[:300]}" for fault in self.faults[:20]),
            ]
        )


@contextmanager
def canary() -> Iterator[tuple[str, list[str]]]:
    """An address that nobody has a reason to ask, and who asked it all the same."""
    asked: list[str] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def listen() -> None:
            while True:
                try:
                    client, _ = listener.accept()
                except OSError:
                    return
                with client:
                    client.settimeout(5)
                    asked.append(client.recv(200).decode("latin-1"))

        threading.Thread(target=listen, daemon=True).start()
        yield f"127.0.0.1:{listener.getsockname()[1]}", asked


class Sender:
    """Requests over one connection, opened again whenever it was closed."""

    def __init__(self, url: str) -> None:
        self.address = urlsplit(url).netloc
        self.connection = http.client.HTTPConnection(self.address, timeout=PATIENCE)

    def send(self, one: Drawn) -> tuple[int, bytes]:
        """Status and body; raises OSError or HTTPException for no answer."""
        for attempt in (0, 1):
            try:
                self.connection.request(one.method, one.path, one.body, one.headers)
                answer = self.connection.getresponse()
                return answer.status, answer.read()
            except (ConnectionError, http.client.RemoteDisconnected):
                self.connection.close()  # a refused body ends a connection: once more
                if attempt:
                    raise
            except Exception:
                self.connection.close()
                raise
        raise AssertionError

    def json(self, path: str, body: Any, key: str) -> Any:
        headers = {"X-API-Key": key, "Content-Type": "application/json"}
        drawn = Drawn("", "", "POST", f"/api/v1/{path}", headers, json.dumps(body).encode())
        return json.loads(self.send(drawn)[1])


def hide_secret(sender: Sender) -> None:
    """Another tenant's session, under whose name nobody else may see anything."""
    told = {"tags": [SECRET], "sdk_version": "0.38.0", "user_metadata": {"x": SECRET}}
    sender.json("create_session", told, "tml-another")


def fuzz(url: str, cases: int, seed: int, figures: Figures) -> None:
    """Send `cases` requests and note what is wrong with the answers."""
    begun = time.monotonic()
    with ExitStack() as stack:
        address, asked = stack.enter_context(canary())
        generator, sender = Generator(seed, address), Sender(url)
        stack.callback(sender.connection.close)
        hide_secret(sender)
        for number in range(cases):
            if number % UPHEAVAL == UPHEAVAL - 1:
                figures.faults += upheaval(sender.send, sender.connection.close, generator)
                figures.upheavals += 1
                hide_secret(sender)
            one = generator.draw()
            where = f"case {number}, seed {seed}: {one.method} {one.path[:120]}"
            sent = time.monotonic()
            try:
                status, body = sender.send(one)
            except (OSError, http.client.HTTPException) as error:
                figures.faults.append(f"{where}: no answer: {type(error).__name__} {error}")
                continue
            figures.statuses[status] += 1
            figures.operations.add(one.operation)
            if status >= 500:
                figures.faults.append(f"{where}: {status} {body[:200]!r} {one.body[:200]!r}")
            if one.document in SHOWING and SECRET.encode() in body:
                figures.faults.append(f"{where}: shows another tenant's data")
            if status == 200 and one.document in SHOWING:
                with suppress(ValueError):
                    generator.learn(json.loads(body))
            figures.slowest = max(figures.slowest, (time.monotonic() - sent, where))
        figures.faults += [f"the mock asked the canary: {said!r}" for said in asked]
    figures.seconds = time.monotonic() - begun


def peak_memory(process: int) -> int:
    """MiB at the highest, where Linux tells it; else 0."""
    try:
        with open(f"/proc/{process}/status") as file:
            lines = dict(line.split(":", 1) for line in file)
    except FileNotFoundError:
        return 0
    return int(lines["VmHWM"].split()[0]) // 1024


def against_a_server(cases: int, heads: int, seed: int) -> Figures:
    """A whole run: requests, then lies on the wire, against a process of its own."""
    figures = Figures()
    with served_process("--seed", str(seed), "--long-poll", "0.05", "--read-timeout", "2") as mock:
        fuzz(mock.url, cases, seed, figures)
        figures.faults += lies(mock.port, heads, seed, figures.statuses)
        figures.memory = peak_memory(mock.pid)
        if figures.memory > MOST_MEMORY:
            figures.faults.append(f"the server grew to {figures.memory} MiB")
    return figures


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=100_000)
    parser.add_argument("--heads", type=int, default=2_000, help="mutated HTTP/1 and HTTP/2 bytes")
    parser.add_argument("--seed", type=int, default=7)
    arguments = parser.parse_args()
    figures = against_a_server(arguments.cases, arguments.heads, arguments.seed)
    print(figures.told())
    return 1 if figures.faults else 0


if __name__ == "__main__":
    sys.exit(main())
