"""The speed section of the README, from what the benchmarks printed: `make speed`.

`make bench` keeps the output of each script in build/bench. A row whose benchmark is not there, or
prints something else than it did, is an error: no number is written by hand.

    python -m tests.bench.page [--check]
"""

import os
import platform
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from tinker_mock.contracts.locations import ROOT

RESULTS = ROOT / "build" / "bench"
README = ROOT / "README.md"
BEGIN, END = "<!-- speed: made by `make speed` -->\n", "<!-- end of speed -->\n"
NUMBER = r"(\d(?:[\d,]*\d)?(?:\.\d+)?)"
CREATIONS = ("cold", "warm", "ready", "again")


@dataclass(frozen=True)
class Row:
    """One line of the table: `pattern` finds the numbers, which the other texts are made with."""

    what: str
    bench: str
    pattern: str
    here: str
    beside: str
    optional: bool = False
    """Left out where it was not measured, or its peer is not installed."""

    def line(self) -> str:
        """Raises LookupError where the benchmark did not print it."""
        file = RESULTS / f"{self.bench}.txt"
        if not file.exists():
            raise LookupError(f"{file} is not there: make bench BENCH={self.bench}")
        found = re.search(self.pattern, file.read_text("utf-8"), re.DOTALL)
        if found is None:
            raise LookupError(f"{file} has nothing like {self.pattern!r}")
        numbers = found.groups()
        return f"| {self.what} | {self.here.format(*numbers)} | {self.beside.format(*numbers)} |"


def exchange(name: str, what: str) -> Row:
    pattern = rf"{name} +{NUMBER} ms, bare +{NUMBER} ms: +{NUMBER}x"
    return Row(what, "exchange", pattern, "{0} ms", "bare Starlette + Hypercorn: {1} ms ({2}x)")


def step(release: str, name: str, peer: str) -> Row:
    """A training step through one release of the SDK, beside another server."""
    own = rf"SDK {re.escape(release)}\n  mock on hypercorn +{NUMBER} ms CPU"
    pattern = rf"{own}(?:(?!SDK).)*?  {name} +{NUMBER} ms CPU"
    return Row(
        f"a training step, SDK {release}: 8 × 128 tokens, pipelined",
        "step",
        pattern,
        "{0} ms",
        f"{peer}: {{1}} ms",
        optional=name in ("tuft", "hatchery"),
    )


ROWS = (
    Row(
        "first answer after start, idle memory",
        "startup",
        rf"mock +{NUMBER} s +{NUMBER} MB[^\n]*\nbare[^\n]*?{NUMBER} s +{NUMBER} MB",
        "{0} s, {1} MB",
        "bare Starlette + Hypercorn: {2} s, {3} MB",
    ),
    Row(
        "a model's promise: new server, with a kept tokenizer, after a second; another",
        "creation",
        r"\n +".join(rf"{kind}[^\n]*?{NUMBER} ms[^\n]*" for kind in CREATIONS),
        "{0} ms, {1} ms, {2} ms; {3} ms",
        "",
        optional=True,
    ),
    step("0.38.0", r"a table \(the limit\)", "answers from a table"),
    step("0.25.0", "tuft", "TuFT 0.2.2, dummy backend"),
    step("0.24.1", "hatchery", "hatchery-core 0.3.0, stub"),
    exchange("submit optim_step", "submit `optim_step`"),
    exchange("submit forward_backward", "submit `forward_backward` of 8 × 128 tokens as JSON"),
    exchange("the same as protobuf", "the same as protobuf"),
    exchange("poll of an optim_step", "poll the result of `optim_step`"),
    exchange("poll of 8 x 128 logprobs", "poll 8 × 128 log-probabilities as JSON"),
    exchange("the same in protobuf", "the same in protobuf"),
    Row(
        "samples of 32 tokens, each its own request, through the SDK",
        "sampling",
        rf"  {NUMBER} samples a second of CPU",
        "{0} a second of CPU",
        "",
    ),
    Row(
        "200 requests of one 256-token sample, through the SDK",
        "sampling",
        rf"sample +{NUMBER} ms\n[^\n]*200 +{NUMBER} ms\n  ratio {NUMBER}",
        "{0} ms",
        "one request of 200: {1} ms ({2}x)",
    ),
    Row(
        "1,000 parked polls: idle CPU, wake (median)",
        "waiting",
        rf"tinker-mock \(events\) +1000 parked: +{NUMBER} % CPU idle, one wake p50 +{NUMBER} ms"
        rf".*?polling every 100 ms +1000 parked: +{NUMBER} % CPU idle, one wake p50 +{NUMBER} ms",
        "{0} %, {1} ms",
        "polling every 100 ms: {2} %, {3} ms",
    ),
    Row(
        "200 clients that train and sample",
        "load",
        rf"{NUMBER} requests a second of the server's CPU.*?  {NUMBER} MB at most",
        "{0} requests a second of CPU, {1} MB",
        "",
        optional=True,
    ),
    Row(
        "the engine's step, 8 × 128 tokens: fresh; after 140,000 trained pairs",
        "engine",
        rf" pairs trained +{NUMBER} ms[^\n]*\n[^\n]* pairs trained +{NUMBER} ms",
        "{0} ms; {1} ms",
        "",
    ),
    Row(
        "`forward_backward`, 128 × 4,096 tokens, vocabulary 200,000",
        "engine",
        rf"V=200,000  fresh +{NUMBER} tokens/s.*?plain numpy log-softmax V=4,096: +{NUMBER}",
        "{0} tokens/s",
        "numpy log-softmax over 4,096 tokens: {1}",
    ),
    Row(
        "sampling, 64 sequences, vocabulary 200,000",
        "engine",
        rf"V=200,000  temperature 1 +{NUMBER} tokens/s",
        "{0} tokens/s",
        "",
    ),
    Row(
        "check an 11 kB request",
        "contract",
        rf"check a[^\n]*?{NUMBER} us\njsonschema \(pure Python\) +{NUMBER} us",
        "{0} µs",
        "pure-Python jsonschema: {1} µs",
    ),
)


def machine() -> str:
    """The processor, how much of it there is, and the Python."""
    info = Path("/proc/cpuinfo")
    named = re.search(r"model name\s*: (.+)", info.read_text()) if info.exists() else None
    processor = named[1] if named else platform.processor() or platform.machine()
    count, load = os.cpu_count() or 1, os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0
    busy = f", busy with other programs (load {load:.0f}): ratios say more" if load > count else ""
    return f"{processor}, {count} processors, Python {platform.python_version()}{busy}"


def lines() -> Iterator[str]:
    """The rows. Raises LookupError for one that must be there."""
    for row in ROWS:
        try:
            yield row.line()
        except LookupError as missing:
            if not row.optional:
                raise
            print(f"left out: {row.what}: {missing}", file=sys.stderr)


def section() -> str:
    """What stands between the marks."""
    day = f"{datetime.now(UTC):%Y-%m-%d}"
    told = (
        f"Processor time of the server, each beside its peer in the same run: {machine()}, {day}."
    )
    return "\n".join([told, "", "| what | here | beside |", "|---|---|---|", *lines(), ""])


def main() -> int:
    """Write the section; with --check only say whether its rows are those of the table here."""
    page = README.read_text("utf-8")
    before, begin, rest = page.partition(BEGIN)
    held, end, after = rest.partition(END)
    if not (begin and end):
        print(f"{README} has no marks for the section", file=sys.stderr)
        return 1
    if "--check" in sys.argv:
        return int([row.what for row in ROWS if f"| {row.what} |" not in held] != [])
    try:
        README.write_text(before + begin + section() + end + after, "utf-8")
    except LookupError as missing:
        print(missing, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
