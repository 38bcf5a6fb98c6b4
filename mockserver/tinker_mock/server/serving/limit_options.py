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


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """All of them."""
    add_traffic_arguments(parser)
    add_keeping_arguments(parser)
    add = parser.add_argument_group("limits of work").add_argument
    add(
        "--long-poll",
        type=seconds(0, 3600),
        default=Settings.long_poll,
        metavar="S",
        help="seconds a poll is held (%(default)g)",
    )
    add(
        "--threads",
        type=whole(1, 64),
        default=Settings.threads,
        metavar="N",
        help="threads that compute at a time (%(default)s)",
    )
    add(
        "--work-seconds",
        type=seconds(0.1, 86400),
        default=Settings.work_seconds,
        metavar="S",
        help="processor time of one operation (%(default)g)",
    )
    add(
        "--work-memory",
        type=whole(1, 1 << 20),
        default=Settings.work_memory,
        metavar="MIB",
        help="intermediate values of one operation (%(default)s)",
    )
    add(
        "--work-tokens",
        type=whole(1, 1 << 40),
        default=Settings.work_tokens,
        metavar="N",
        help="tokens one operation reads or writes (%(default)s)",
    )


def add_keeping_arguments(parser: argparse.ArgumentParser) -> None:
    """How long things are kept, and how many."""
    add = parser.add_argument_group("limits of memory").add_argument
    kept = seconds(0, 1e10)
    add(
        "--retention",
        dest="result_retention",
        type=kept,
        default=Settings.result_retention,
        metavar="S",
        help="seconds that results stay readable (%(default)g)",
    )
    add(
        "--keep",
        type=kept,
        default=Settings.keep,
        metavar="S",
        help="seconds that ended sessions and accounts are kept (%(default)g)",
    )
    add(
        "--memory-limit",
        type=whole(1, 1 << 20),
        metavar="MIB",
        help="pack idle models when those under training take more (default: never)",
    )
    add(
        "--max-models",
        type=whole(1, 10_000_000),
        default=Settings.max_models,
        metavar="N",
        help="models, and samplers, that one session holds (%(default)s)",
    )
    add(
        "--max-queued",
        type=whole(1, 1 << 20),
        default=Settings.max_queued,
        metavar="MIB",
        help="requests that wait for their turn (%(default)s)",
    )
    add(
        "--max-results",
        type=whole(1, 1 << 20),
        default=Settings.max_results,
        metavar="MIB",
        help="results that stay readable (%(default)s)",
    )
    for name in ("tenants", "sessions", "snapshots"):
        add(
            f"--max-{name}",
            type=whole(1, 10_000_000),
            default=getattr(Settings, f"max_{name}"),
            metavar="N",
            help=f"{name} that are held at most (%(default)s)",
        )


def add_traffic_arguments(parser: argparse.ArgumentParser) -> None:
    """Those of bodies and of the journal, which a proxy has too."""
    add = parser.add_argument_group("limits of traffic").add_argument
    add(
        "--max-connections",
        type=whole(1, 1_000_000),
        default=Settings.max_connections,
        metavar="N",
        help="connections at a time (%(default)s, or what the open files allow)",
    )
    add(
        "--max-body",
        type=whole(1, 4096),
        default=Settings.max_body,
        metavar="MIB",
        help="size of one body, decompressed (%(default)s)",
    )
    add(
        "--max-in-flight",
        type=whole(1, 1 << 20),
        default=Settings.max_in_flight,
        metavar="MIB",
        help="memory of all bodies of requests under way (%(default)s)",
    )
    add(
        "--read-timeout",
        type=seconds(0.01, 86400),
        default=Settings.read_timeout,
        metavar="S",
        help="seconds a small body may take to arrive (%(default)g)",
    )
    add(
        "--journal-size",
        type=whole(0, 10_000_000),
        default=Settings.journal_size,
        metavar="N",
        help="exchanges the journal keeps (%(default)s); 0 for no journal",
    )
    add(
        "--journal-memory",
        type=whole(1, 1 << 20),
        default=Settings.journal_memory,
        metavar="MIB",
        help="what they may take (%(default)s)",
    )
    add(
        "--journal-body",
        type=whole(1, 4096),
        default=Settings.journal_body,
        metavar="MIB",
        help="longest body the journal keeps, of others the size (%(default)s)",
    )
