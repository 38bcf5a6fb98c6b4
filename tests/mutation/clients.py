"""The audit's mutation score: how many mutants of the reference client the client audit notices.

python -m tests.mutation.clients [--sample N] [--seed N] [--keep FILE] [--page FILE]

A program on the client reports what it understood. Each mutant is a copy of the client, put before
the real one on the path; mutants of functions that the program never enters are not drawn.
"""

import argparse
import json
import os
import shutil
import sys
from collections.abc import Callable, Container, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from functools import cache
from itertools import count, islice
from pathlib import Path
from queue import SimpleQueue
from tempfile import TemporaryDirectory
from typing import Self, TypeVar

from tests.mutation.argued import argument
from tests.mutation.entered import ENTERED
from tests.mutation.generated import CLIENT, Generated, drawn, everything
from tests.mutation.kept import Kept, digest, key
from tests.mutation.page import Played, client_page, summary
from tests.mutation.playing import SURVIVES
from tinker_mock.server.mutants.grafting import alike, functions_of
from tinker_mock.suite.client.audit import judge_check, record_on, situations, stage
from tinker_mock.suite.client.judging import CLIENT_CHECKS
from tinker_mock.suite.client.traffic import Traffic
from tinker_mock.suite.server.kill_matrix import NOT_OK

PROGRAM = Path(__file__).parents[1] / "suite" / "programs" / "thorough"
TRACER = Path(__file__).with_name("entered.py")
PLAYS = {
    **{one: (one, "") for one in (
        "healthy", "mistaken", "guided", "small", "pending", "lost", "throttled", "unavailable",
        "ill", "noise", "busy", "gone", "failing", "failed", "denied", "tokens", "paused", "unpaid",
    )},
    "healthy as 0.24": ("healthy", "python-0.24"),
    "healthy as 0.7": ("healthy", "python-0.7"),
}  # fmt: skip
"""Situation and preset of the client: its newest manners, or older ones."""
T = TypeVar("T")
R = TypeVar("R")
PRESET = "TINKER_MOCK_CLIENT_PRESET"
PATIENCE = 60.0
"""Seconds for one run of the program."""
Reach = dict[str, frozenset[str]]
"""Play -> `client/…py:function` of all that the program enters in it."""


@cache
def roots() -> str:
    """Where everything but the client is found."""
    return os.pathsep.join(path for path in sys.path if path)


def environment(client: Path, entered: Path | None = None) -> dict[str, str]:
    """Variables of a program whose `tinker` is that copy of the client."""
    path = [str(client / "compat" / "path"), str(client.parents[1]), roots()]
    found = {**os.environ, "PYTHONPATH": os.pathsep.join(path)}
    return found if entered is None else {**found, ENTERED: str(entered)}


class Stages:
    """The mocks of one worker: one for each way to serve, whatever happens there afterwards."""

    numbers = count()

    def __init__(self) -> None:
        self.open = ExitStack()
        self.urls: dict[str, str] = {}

    def url(self, situation: str) -> str:
        """Where to play a situation."""
        serve = repr(situations()[situation].get("serve"))
        if serve not in self.urls:
            self.urls[serve] = self.open.enter_context(stage(situation))
        return self.urls[serve]

    def played(self, play: str, client: Path, entered: Path | None = None) -> Traffic:
        """The program on a copy of the client, with a key of its own."""
        situation, preset = PLAYS[play]
        command = [sys.executable, *([str(TRACER)] if entered else []), str(PROGRAM)]
        key = f"tml-audited-{next(self.numbers)}"
        patience = PATIENCE * (3 if entered else 1)
        variables = environment(client, entered) | ({PRESET: preset} if preset else {})
        return record_on(self.url(situation), command, situation, patience, variables, key)


def noticed(stages: Stages, client: Path, play: str, but: Container[str] = ()) -> list[str]:
    """The checks, but some, that a program on a copy of the client does not pass in a play."""
    situation, traffic = PLAYS[play][0], stages.played(play, client)
    asked = [one for one in CLIENT_CHECKS.values() if one.situation == situation]
    found = [judge_check(one, {situation: traffic}) for one in asked if one.id not in but]
    return [one.check for one in found if one.status in NOT_OK]


class Workers:
    """Stages for so many plays at a time: a play waits far longer than it computes."""

    def __init__(self, jobs: int) -> None:
        self.jobs = jobs
        self.free: SimpleQueue[Stages] = SimpleQueue()
        self.opened = ExitStack()

    def __enter__(self) -> Self:
        for _ in range(self.jobs):
            stages = Stages()
            self.opened.enter_context(stages.open)
            self.free.put(stages)
        return self

    def __exit__(self, *_: object) -> None:
        self.opened.close()

    def each(self, work: Callable[[T, Stages], R], parts: Iterable[T]) -> Iterator[R]:
        """The work on each part, in order."""

        def done(part: T) -> R:
            stages = self.free.get()
            try:
                return work(part, stages)
            finally:
                self.free.put(stages)

        with ThreadPoolExecutor(self.jobs) as pool:
            yield from pool.map(done, parts)


def entered_functions(workers: Workers) -> Reach:
    """What the program enters in each play."""

    def entered(play: str, stages: Stages) -> frozenset[str]:
        with TemporaryDirectory() as folder:
            file = Path(folder) / "entered"
            stages.played(play, CLIENT, file)
            return frozenset(file.read_text("utf-8").splitlines())

    return dict(zip(PLAYS, workers.each(entered, PLAYS), strict=True))


def known_reach(workers: Workers, keep: Path | None) -> Reach:
    """What is entered, from beside the file to go on from if it was written of the same client."""
    file = keep and keep.with_suffix(".reach.json")
    of = digest(("client",))
    if file and file.exists():
        told = json.loads(file.read_text("utf-8"))
        if told["of"] == of and set(told["plays"]) == set(PLAYS):
            return {play: frozenset(names) for play, names in told["plays"].items()}
    reach = entered_functions(workers)
    if file:
        plays = {play: sorted(names) for play, names in reach.items()}
        file.write_text(json.dumps({"of": of, "plays": plays}), "utf-8")
    return reach


def usually_noticed(workers: Workers) -> frozenset[str]:
    """What the client that nobody changed does not pass."""
    found = workers.each(lambda play, stages: noticed(stages, CLIENT, play), PLAYS)
    return frozenset(check for checks in found for check in checks)


def changed(mutant: Generated) -> frozenset[str]:
    """The functions that a mutant changes."""
    before, after = mutant.source()
    try:
        own, other = (functions_of(compile(text, mutant.file, "exec")) for text in (before, after))
    except (SyntaxError, ValueError):
        return frozenset()
    return frozenset(
        f"{mutant.file}:{name}"
        for name in own
        if name in other and not alike(own[name], other[name])
    )


def played(mutant: Generated, stages: Stages, reach: Reach, usual: frozenset[str]) -> str:
    """The check that notices a mutant, or SURVIVES; only situations that reach it are played."""
    parts = changed(mutant)
    wanted = [one for one in PLAYS if parts & reach[one]]
    with TemporaryDirectory() as folder:
        copy = Path(folder) / "tinker_mock" / "client"
        shutil.copytree(CLIENT, copy)
        (copy.parent / mutant.file).write_text(mutant.source()[1], "utf-8")
        for play in wanted:
            seen = noticed(stages, copy, play, usual)
            again = seen and noticed(stages, copy, play, usual)  # a busy machine is no fault
            if both := [one for one in seen if one in again]:
                return both[0]
    return SURVIVES


def judged(
    mutants: Sequence[Generated], kept: Kept, reach: Reach, workers: Workers
) -> list[Played]:
    """Each mutant with what became of it; lines for people on the way."""
    left = kept.left(mutants)
    usual = usually_noticed(workers) if left else frozenset()
    print(f"noticed without any mutant: {', '.join(sorted(usual)) or 'nothing'}", flush=True)

    def play(one: Generated, stages: Stages) -> str:
        return played(one, stages, reach, usual)

    for one, said in zip(left, workers.each(play, left), strict=True):
        kept.add(one, said)
        print(f"{said:40} {one.shown()}", flush=True)
    known = [(one, kept.said[key(one)]) for one in mutants]
    return [
        Played(one, "" if said == SURVIVES else said, argument(one) if said == SURVIVES else None)
        for one, said in known
    ]


def main() -> int:
    """Play a sample, print the score, and write the page if asked."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sample", type=int, default=40)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=3 * (os.cpu_count() or 2))
    parser.add_argument("--keep", type=Path, help="a file to go on from")
    parser.add_argument("--page", type=Path)
    options = parser.parse_args()
    with Workers(options.jobs) as workers:
        reach = known_reach(workers, options.keep)
        entered = frozenset().union(*reach.values())
        reached = (one for one in drawn(options.seed, rooms=("client",)) if changed(one) & entered)
        mutants = list(islice(reached, options.sample))
        found = judged(mutants, Kept(options.keep), reach, workers)
    print(f"mutation score of the client audit: {summary(found, 'the client')}")
    if options.page:
        known = len(everything(rooms=("client",)))
        options.page.write_text(client_page(found, options.seed, known), "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
