"""When a scenario must have ended: with the run, or with its own share of the run's time."""

import math
import time
from dataclasses import dataclass, replace

from tinker_mock.suite.core.target import Target

SHARE = 0.1
"""Of the run's budget that one scenario may take at most."""
FAIR = 2.0
"""How many times its part of the time that is left it may take: most take less."""
LEAST = 20.0
"""Seconds that every scenario may take, however small the budget is."""
GRACE = 5.0
"""Seconds to clean up that a scenario has when its time is over."""
OVER = "the run's budget was over (--budget)"


@dataclass(frozen=True)
class Deadline:
    """A moment (time.monotonic), and what is over then."""

    moment: float
    over: str

    def left(self) -> float:
        """Seconds until then."""
        return self.moment - time.monotonic()


def share_of(budget: float) -> float:
    """Seconds for one scenario of a run."""
    return max(LEAST, SHARE * budget)


def fair(target: Target, waiting: int, workers: int) -> Target:
    """The target for a scenario that begins while so many wait: each of them has its turn."""
    if target.deadline is None or target.share is None:
        return target
    part = workers * (target.deadline - time.monotonic()) / max(1, waiting)
    return replace(target, share=max(LEAST, min(target.share, FAIR * part)))


def unhurried(target: Target) -> Target:
    """The target for scenarios that are played once more, with all the time that is left."""
    return target if target.share is None else replace(target, share=math.inf)


def deadline_of(target: Target) -> Deadline | None:
    """When a scenario that begins now must have ended; None: it may take any time."""
    ends = []
    if target.deadline is not None:
        ends.append(Deadline(target.deadline, OVER))
    if target.share is not None:
        over = f"the scenario had its {target.share:.0f} s of the run's budget (--budget)"
        ends.append(Deadline(time.monotonic() + target.share, over))
    return min(ends, key=lambda end: end.moment, default=None)


def cleaning_until(target: Target) -> Deadline | None:
    """When a scenario that has ended must have cleaned up; what it made stays otherwise."""
    return Deadline(time.monotonic() + GRACE, OVER) if deadline_of(target) else None
