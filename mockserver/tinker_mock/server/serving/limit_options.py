"""The options about limits, and the types of their values."""

import argparse
import math
from collections.abc import Callable

from tinker_mock.server.settings import Settings


def whole(least: int, most: int) -> Callable[[str], int]:
    """A whole number between the two (an argparse type)."""

    def read(text: str) -> int:
        digits = text.removeprefix("-")
        if not (digits.isascii() and digits.isdecimal() and len(digits) < 20):
            raise argparse.ArgumentTypeError(f"{text!r} is no whole number")
        if not least <= int(text) <= most:
            raise argparse.ArgumentTypeError(f"{text} is not from {least} to {most}")
        return int(text)

    return read


def seconds(least: float, most: float) -> Callable[[str], float]:
    """A time between the two (an argparse type)."""

    def read(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            raise argparse.ArgumentTypeError(f"{text!r} is no number of seconds") from None
        if math.isnan(value) or not least <= value <= most:
            raise argparse.ArgumentTypeError(f"{text} is not from {least:g} to {most:g} seconds")
        return value

    return read


MEBIBYTES = whole(1, 1 << 20)
COUNT = whole(1, 10_000_000)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """All of them."""
    add_traffic_arguments(parser)
    add_keeping_arguments(parser)
    add = _adding(parser, "limits of work")
    add("--long-poll", seconds(0, 3600), "S", "seconds a poll is held (%(default)g)")
    add("--threads", whole(1, 64), "N", "threads that compute at a time (%(default)s)")
    add("--work-seconds", seconds(0.1, 86400), "S", "processor time of one operation (%(default)g)")
    add("--work-memory", MEBIBYTES, "MIB", "intermediate values of one operation (%(default)s)")
    tokens = "tokens one operation reads or writes (%(default)s)"
    add("--work-tokens", whole(1, 1 << 40), "N", tokens)


def add_keeping_arguments(parser: argparse.ArgumentParser) -> None:
    """How long things are kept, and how many."""
    add = _adding(parser, "limits of memory")
    kept = seconds(0, 1e10)
    retention = "seconds that results stay readable (%(default)g)"
    add("--retention", kept, "S", retention, setting="result_retention")
    add("--keep", kept, "S", "seconds that ended sessions and accounts are kept (%(default)g)")
    idle = "pack idle models when those under training take more (default: never)"
    add("--memory-limit", MEBIBYTES, "MIB", idle)
    add("--max-models", COUNT, "N", "models, and samplers, that one session holds (%(default)s)")
    add("--max-queued", MEBIBYTES, "MIB", "requests that wait for their turn (%(default)s)")
    add("--max-results", MEBIBYTES, "MIB", "results that stay readable (%(default)s)")
    for name in ("tenants", "sessions", "snapshots"):
        add(f"--max-{name}", COUNT, "N", f"{name} that are held at most (%(default)s)")


def add_traffic_arguments(parser: argparse.ArgumentParser) -> None:
    """Those of bodies and of the journal, which a proxy has too."""
    add = _adding(parser, "limits of traffic")
    at_a_time = "connections at a time (%(default)s, or what the open files allow)"
    add("--max-connections", whole(1, 1_000_000), "N", at_a_time)
    body = whole(1, 4096)
    add("--max-body", body, "MIB", "size of one body, decompressed (%(default)s)")
    add(
        "--max-in-flight",
        MEBIBYTES,
        "MIB",
        "memory of all bodies of requests under way (%(default)s)",
    )
    arriving = "seconds a small body may take to arrive (%(default)g)"
    add("--read-timeout", seconds(0.01, 86400), "S", arriving)
    exchanges = "exchanges the journal keeps (%(default)s); 0 for no journal"
    add("--journal-size", whole(0, 10_000_000), "N", exchanges)
    add("--journal-memory", MEBIBYTES, "MIB", "what they may take (%(default)s)")
    longest = "longest body the journal keeps, of others the size (%(default)s)"
    add("--journal-body", body, "MIB", longest)


def _adding(parser: argparse.ArgumentParser, title: str) -> Callable[..., None]:
    """What adds an option to a group: its flag, type, unit and text, for the setting of its name
    or the one that is told."""
    group = parser.add_argument_group(title)

    def add(
        flag: str, read: Callable[[str], float], unit: str, text: str, setting: str = ""
    ) -> None:
        name = setting or flag.removeprefix("--").replace("-", "_")
        default = getattr(Settings, name)
        group.add_argument(flag, dest=name, type=read, default=default, metavar=unit, help=text)

    return add
