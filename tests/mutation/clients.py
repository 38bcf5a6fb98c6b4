"""The audit's mutation score: how many mutants of the reference client the client audit notices.

python -m tests.mutation.clients [--sample N] [--seed N] [--keep FILE] [--page FILE]

A program on the client reports what it understood. Each mutant is a copy of the client, put before
the real one on the path; mutants of functions that the program never enters are not drawn.
"""

import argparse
import os
import shutil
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.mutation.argued import argument
from tests.mutation.entered import ENTERED
from tests.mutation.generated import CLIENT, Generated, drawn, everything
from tests.mutation.kept import Kept, key
from tests.mutation.page import Played, client_page, summary
from tests.mutation.playing import SURVIVES
from tinker_mock.server.mutants.grafting import alike, functions_of
from tinker_mock.suite.client.audit import judge_check, record_traffic
from tinker_mock.suite.client.judging import CLIENT_CHECKS
from tinker_mock.suite.server.kill_matrix import NOT_OK

PROGRAM = Path(__file__).parents[1] / "suite" / "programs" / "thorough"
TRACER = Path(__file__).with_name("entered.py")
SITUATIONS = (
    "healthy", "pending", "lost", "throttled", "unavailable", "ill", "noise", "gone", "failing",
    "denied", "paused",
)  # fmt: skip
PATIENCE = 90.0
"""Seconds for one run of the program."""


@cache
def roots() -> str:
    """Where everything but the client is found."""
    return os.pathsep.join(path for path in sys.path if path)


def environment(client: Path, entered: Path | None = None) -> dict[str, str]:
    """Variables of a program whose `tinker` is that copy of the client."""
    path = [str(client / "compat" / "path"), str(client.parents[1]), roots()]
    found = {**os.environ, "PYTHONPATH": os.pathsep.join(path)}
    return found if entered is None else {**found, ENTERED: str(entered)}


def noticed(client: Path, but: frozenset[str] = frozenset()) -> Iterator[str]:
    """The checks, but some, that a program on a copy of the client does not pass."""
    for situation in SITUATIONS:
        command = [sys.executable, str(PROGRAM)]
        traffic = record_traffic(command, situation, PATIENCE, environment(client))
        for check in CLIENT_CHECKS.values():
            if check.situation == situation and check.id not in but:
                verdict = judge_check(check, {situation: traffic})
                if verdict.status in NOT_OK:
                    yield check.id


def entered_functions() -> frozenset[str]:
    """`client/…py:function` of all that the program enters, in any situation."""
    found: set[str] = set()
    with TemporaryDirectory() as folder:
        for situation in SITUATIONS:
            file = Path(folder) / situation
            command = [sys.executable, str(TRACER), str(PROGRAM)]
            record_traffic(command, situation, 3 * PATIENCE, environment(CLIENT, file))
            found |= set(file.read_text("utf-8").splitlines())
    return frozenset(found)


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


def played(mutant: Generated, usual: frozenset[str]) -> str:
    """The check that notices a mutant, or SURVIVES."""
    with TemporaryDirectory() as folder:
        copy = Path(folder) / "tinker_mock" / "client"
        shutil.copytree(CLIENT, copy, ignore=shutil.ignore_patterns("__pycache__"))
        (copy.parent / mutant.file).write_text(mutant.source()[1], "utf-8")
        return next(noticed(copy, usual), SURVIVES)


def judged(mutants: Sequence[Generated], jobs: int, kept: Kept) -> list[Played]:
    """Each mutant with what became of it; lines for people on the way."""
    left = kept.left(mutants)
    usual = frozenset(noticed(CLIENT)) if left else frozenset()
    with ThreadPoolExecutor(jobs) as pool:
        for one, said in zip(left, pool.map(lambda m: played(m, usual), left), strict=True):
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
    entered = entered_functions()
    reached = (one for one in drawn(options.seed, rooms=("client",)) if changed(one) & entered)
    mutants = list(islice(reached, options.sample))
    found = judged(mutants, options.jobs, Kept(options.keep))
    print(f"mutation score of the client audit: {summary(found, 'the client')}")
    if options.page:
        known = len(everything(rooms=("client",)))
        options.page.write_text(client_page(found, options.seed, known), "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
