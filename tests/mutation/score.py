"""The suite's mutation score: how many mutants that nobody chose the suite notices.

python -m tests.mutation.score [--sample N] [--seed N] [--keep FILE] [--part K/N] [--page FILE]
    [--before FILE]

Each mutant serves in a process of its own; the suite is played against it until a check does not
pass. A mutant that changes no function (an annotation, a constant) is left out.
"""

import argparse
import os
import sys
from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.mutation.argued import argument, aside
from tests.mutation.forks import forked
from tests.mutation.generated import Generated, drawn, everything
from tests.mutation.kept import Kept, key
from tests.mutation.page import Played, page, summary
from tests.mutation.playing import BUDGET, SURVIVES, TRACED, Play, planned, played, warm
from tests.mutation.reach import Reach, read
from tinker_mock.server.mutants.grafting import GraftError, Rewritten

Part = tuple[int, int]
FEW = 20
"""Up to so many it takes longer to see which scenarios reach them than to play all."""


def effective(mutant: Generated) -> bool:
    """Whether it changes a function at all."""
    try:
        return bool(Rewritten(mutant.file, mutant.source()[1]).codes())
    except (GraftError, ValueError):
        return False


def chosen(sample: int, seed: int) -> list[Generated]:
    """A sample of the mutants that change a function, or all of them."""
    if sample:
        return list(islice(filter(effective, drawn(seed, aside())), sample))
    return [one for one in everything(aside()) if effective(one)]


def judged(mutants: list[Generated], jobs: int, kept: Kept, part: Part) -> list[Played]:
    """Each mutant with what became of it; lines for people on the way."""
    number, parts = part
    play_all(kept.left(mutants)[number - 1 :: parts], jobs, kept)
    known = [(one, kept.said.get(key(one))) for one in mutants]
    return [described(one, said) for one, said in known if said is not None]


def described(mutant: Generated, said: str) -> Played:
    """What became of a mutant, and why it is no fault where somebody has read it."""
    survived = said == SURVIVES
    return Played(mutant, "" if survived else said, argument(mutant) if survived else None)


def play_all(mutants: Sequence[Generated], jobs: int, kept: Kept) -> None:
    """Play them, and keep what was found."""
    if not mutants:
        return
    warm()
    reach = traced() if len(mutants) > FEW else {}
    plays = [Play(), *(planned(one, reach) for one in mutants)]
    for play, said in forked(played, plays, jobs, BUDGET + 30, "it does not end"):
        if play.mutant is None:
            proved_healthy(said)
            continue
        kept.add(play.mutant, said)
        one = described(play.mutant, said)
        word = f"argued: {one.argued.kind}" if one.argued else one.noticed or "SURVIVES"
        print(f"{word:40} {play.mutant.shown()}", flush=True)


def traced() -> Reach:
    """Which scenarios come through which functions of the healthy mock."""
    with TemporaryDirectory() as folder:
        trace = Path(folder) / "reach.json"
        ((_, said),) = forked(played, [Play(trace=trace)], 1, TRACED + 30, "it does not end")
        proved_healthy(said)
        return read(trace)


def proved_healthy(said: str) -> None:
    """End unless the healthy mock passes: else no mutant counts."""
    if said != SURVIVES:
        sys.exit(f"the healthy mock is not conformant here: {said}")


def part_of(text: str) -> Part:
    """2/3: the second of three parts."""
    number, _, parts = text.partition("/")
    if not 1 <= int(number) <= int(parts):
        raise ValueError(text)
    return int(number), int(parts)


def main() -> int:
    """Play a sample, print the score, and write the page if asked."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sample", type=int, default=0, help="how many; 0 for all")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 2)
    parser.add_argument("--page", type=Path)
    parser.add_argument("--keep", type=Path, help="a file to go on from")
    parser.add_argument("--before", type=Path, help="what was kept of an earlier suite's run")
    parser.add_argument("--part", type=part_of, default=(1, 1), metavar="K/N")
    options = parser.parse_args()
    mutants = chosen(options.sample, options.seed)
    found = judged(mutants, options.jobs, Kept(options.keep), options.part)
    print(f"mutation score: {summary(found)}")
    if options.page:
        said = Kept(options.before).said
        before = [described(one, said[key(one)]) for one in mutants if key(one) in said]
        known = len(everything(aside()))
        options.page.write_text(page(found, options.seed, known, before), "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
