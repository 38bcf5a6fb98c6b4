"""The audit's mutation score: how many mutants of the reference client the client audit notices.

python -m tests.mutation.clients [--sample N] [--seed N] [--keep FILE] [--page FILE]

A program on the client reports what it understood. Each mutant is a copy of the client, put before
the real one on the path; mutants of functions that the program never enters are not drawn.
"""

import argparse
import os
import shutil
import sys
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from functools import cache
from itertools import count, islice
from pathlib import Path
from queue import SimpleQueue
from tempfile import TemporaryDirectory

from tests.mutation.argued import argument
from tests.mutation.entered import ENTERED
from tests.mutation.generated import CLIENT, Generated, drawn, everything
from tests.mutation.kept import Kept, key
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
        "ill", "noise", "busy", "gone", "failing", "failed", "denied", "tokens", "paused",
    )},
    "healthy as 0.24": ("healthy", "python-0.24"),
    "healthy as 0.7": ("healthy", "python-0.7"),
}  # fmt: skip
"""Situation and preset of the client: its newest manners, or older ones."""
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


def noticed(stages: Stages, client: Path, wanted: Iterable[str]) -> Iterator[str]:
    """The checks that a program on a copy of the client does not pass."""
    for play in wanted:
        situation, traffic = PLAYS[play][0], stages.played(play, client)
        for check in CLIENT_CHECKS.values():
            if check.situation == situation:
                verdict = judge_check(check, {situation: traffic})
                if verdict.status in NOT_OK:
                    yield check.id


def entered_functions(stages: Stages) -> Reach:
    """What the program enters in each situation."""
    found: Reach = {}
    with TemporaryDirectory() as folder:
        for play in PLAYS:
            file = Path(folder) / play
            stages.played(play, CLIENT, file)
            found[play] = frozenset(file.read_text("utf-8").splitlines())
    return found


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
        found = noticed(stages, copy, wanted)
        return next((one for one in found if one not in usual), SURVIVES)


def judged(mutants: Sequence[Generated], jobs: int, kept: Kept, reach: Reach) -> list[Played]:
    """Each mutant with what became of it; lines for people on the way."""
    left = kept.left(mutants)
    workers: SimpleQueue[Stages] = SimpleQueue()
    with ExitStack() as opened, ThreadPoolExecutor(jobs) as pool:
        for _ in range(jobs):
            stages = Stages()
            opened.enter_context(stages.open)
            workers.put(stages)
        usual = frozenset(noticed(stages, CLIENT, PLAYS)) if left else frozenset()
        print(f"noticed without any mutant: {', '.join(sorted(usual)) or 'nothing'}", flush=True)

        def play(one: Generated) -> str:
            mine = workers.get()
            try:
                return played(one, mine, reach, usual)
            finally:
                workers.put(mine)

        for one, said in zip(left, pool.map(play, left), strict=True):
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
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 2)
    parser.add_argument("--keep", type=Path, help="a file to go on from")
    parser.add_argument("--page", type=Path)
    options = parser.parse_args()
    stages = Stages()
    with stages.open:
        reach = entered_functions(stages)
    entered = frozenset().union(*reach.values())
    reached = (one for one in drawn(options.seed, rooms=("client",)) if changed(one) & entered)
    mutants = list(islice(reached, options.sample))
    found = judged(mutants, options.jobs, Kept(options.keep), reach)
    print(f"mutation score of the client audit: {summary(found, 'the client')}")
    if options.page:
        known = len(everything(rooms=("client",)))
        options.page.write_text(client_page(found, options.seed, known), "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
