"""Clock cycles: the pool works in lock-step for all its models (tinker-docs, "Under the Hood"):
each cycle is a forward-backward pass and an optimizer step.

Documented are the counts: a loop that waits for each result takes three cycles a step, one that
submits optim_step before it waits takes one. Rules that give them: a pass takes part in the cycle
that has just begun (`GRACE`) or else in the next one; an optimizer step joins the pass before it as
long as that one's cycle has just begun or is yet to come, and otherwise waits for the next cycle.
What took part is told when its cycle ends.
"""

import math
from dataclasses import dataclass

from tinker_mock.server.clock import Clock
from tinker_mock.server.state.promise import Promise

PASSES = frozenset({"forward", "forward_backward"})
STEP = "optim_step"
GRACE = 0.1
"""The part of a cycle, from its start, in which it still takes passes."""
PATIENCE = 0.2
"""Real seconds before a clock that jumps may do so: requests that a client sends one after the
other, while it polls the first, belong to the same instant."""
KEPT_PLACES = 1000
"""Lanes that are remembered before those of past cycles are forgotten."""
ROUNDING = 1e-4
"""Seconds by which a time may miss the instant it was meant to be."""


@dataclass
class Place:
    """How far a lane has come: the cycles of its last pass and of its last optimizer step."""

    passed: int = -1
    stepped: int = -1


class ClockCycles:
    """Cycles of `length` seconds; cycle n begins at Unix time n times `length`."""

    def __init__(self, length: float, clock: Clock) -> None:
        self.length = length
        self.clock = clock
        self._places: dict[str, Place] = {}

    def assign(self, promise: Promise) -> int | None:
        """The cycle a promise takes part in; None for work outside the cycles.

        To be asked in the order of the promise's lane.
        """
        if promise.operation not in PASSES and promise.operation != STEP:
            return None
        at = promise.submitted_at + ROUNDING
        running = math.floor(at / self.length)
        if len(self._places) > KEPT_PLACES:
            self._forget_before(running)
        place = self._places.setdefault(promise.lane_id, Place())
        if promise.operation == STEP:
            joins = at <= (place.passed + GRACE) * self.length + 2 * ROUNDING
            cycle = max(place.passed if joins else running + 1, place.stepped + 1)
            place.stepped = cycle
        else:
            in_time = at <= (running + GRACE) * self.length + 2 * ROUNDING
            first = running if in_time else running + 1
            cycle = max(first, place.passed, place.stepped + 1)
            place.passed = cycle
        return cycle

    def restart(self) -> None:
        """Forget how far lanes have come: their work starts anew."""
        self._places.clear()

    def _forget_before(self, cycle: int) -> None:
        """Drop places that decide nothing any more."""
        for lane_id, place in list(self._places.items()):
            if max(place.passed, place.stepped) < cycle:
                del self._places[lane_id]

    async def wait_for_start(self, cycle: int) -> None:
        """Return once the cycle has begun."""
        await self._wait_until(cycle * self.length)

    async def wait_for_end(self, cycle: int) -> None:
        """Return once the cycle is over."""
        await self._wait_until((cycle + 1) * self.length)

    async def _wait_until(self, when: float) -> None:
        left = when - self.clock.now()
        if left > 0:
            await self.clock.sleep(left, background=True)
