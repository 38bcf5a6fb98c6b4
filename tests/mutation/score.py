"""The suite's mutation score: how many mutants that nobody chose the suite notices.

python -m tests.mutation.score [--sample N] [--seed N] [--page FILE]

Each mutant serves in a process of its own; the suite is played against it until a check does not
pass. A mutant that changes no function (an annotation, a constant) is left out.
"""

import argparse
import os
import sys
from itertools import islice
from pathlib import Path

from tests.mutation.argued import argument, aside
from tests.mutation.forks import forked
from tests.mutation.generated import Generated, drawn, everything
from tests.mutation.page import Played, page, summary
from tests.mutation.playing import BUDGET, SURVIVES, played, warm
from tinker_mock.server.mutants.grafting import GraftError, Rewritten


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


def judged(mutants: list[Generated | None], jobs: int) -> list[Played]:
    """Each mutant with what became of it; lines for people on the way."""
    warm()
    ((_, ill),) = forked(played, [None], 1, BUDGET, "it does not end")
    if ill != SURVIVES:
        sys.exit(f"the healthy mock is not conformant here: {ill}")
    found = []
    for mutant, said in forked(played, mutants, jobs, BUDGET + 30, "it does not end"):
        assert mutant is not None
        why = argument(mutant) if said == SURVIVES else None
        found.append(Played(mutant, "" if said == SURVIVES else said, why))
        word = f"argued: {why.kind}" if why else said.replace(SURVIVES, "SURVIVES")
        print(f"{word:40} {mutant.shown()}", flush=True)
    return found


def main() -> int:
    """Play a sample, print the score, and write the page if asked."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sample", type=int, default=0, help="how many; 0 for all")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 2)
    parser.add_argument("--page", type=Path)
    options = parser.parse_args()
    found = judged([*chosen(options.sample, options.seed)], options.jobs)
    print(f"mutation score: {summary(found)}")
    if options.page:
        options.page.write_text(page(found, options.seed, len(everything(aside()))), "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
