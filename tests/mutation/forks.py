"""Work in processes of its own: what goes wrong in one, for ever or for good, ends there."""

import os
import resource
import select
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TypeVar

T = TypeVar("T")
MEMORY = 6 << 30
"""Bytes of address space: a mutant may ask for any number of zeros."""


@dataclass(frozen=True)
class Forked:
    """A process at work, and where its answer comes out."""

    process: int
    answer: int
    place: int
    since: float


def forked(
    work: Callable[[T], str], items: Sequence[T], jobs: int, limit: float, late: str
) -> Iterator[tuple[T, str]]:
    """Each item with what `work` says of it, in their order; `late` after `limit` seconds.

    What ends without a word says "it ends". Call it before anything starts a thread.
    """
    running: list[Forked] = []
    said: dict[int, str] = {}
    left = iter(enumerate(items))
    told = 0
    while told < len(items):
        while len(running) < jobs and (following := next(left, None)) is not None:
            running.append(begun(work, following[1], following[0]))
        ready, _, _ = select.select([one.answer for one in running], [], [], 1.0)
        for one in list(running):
            over = time.monotonic() - one.since > limit
            if one.answer in ready:
                said[one.place] = ended(one) or "it ends"
            elif over:
                os.kill(one.process, signal.SIGKILL)
                ended(one)
                said[one.place] = late
            else:
                continue
            running.remove(one)
        while told in said:
            yield items[told], said.pop(told)
            told += 1


def begun(work: Callable[[T], str], item: T, place: int) -> Forked:
    """A process that does the work and writes what it says."""
    reading, writing = os.pipe()
    process = os.fork()
    if process:
        os.close(writing)
        return Forked(process, reading, place, time.monotonic())
    with suppress(BaseException):
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
        quiet = os.open(os.devnull, os.O_WRONLY)
        os.dup2(quiet, 1)
        os.dup2(quiet, 2)
        os.write(writing, work(item).encode()[:4000])
    os._exit(0)


def ended(one: Forked) -> str:
    """What it said, when it is over."""
    said = os.read(one.answer, 4096).decode()
    os.close(one.answer)
    os.kill(one.process, signal.SIGKILL)
    os.waitpid(one.process, 0)
    return said
