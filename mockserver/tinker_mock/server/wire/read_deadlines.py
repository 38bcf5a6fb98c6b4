"""Bodies that take too long to arrive: one look a moment at all that are being read.

A timer for each request would cost every one of them; most bodies are there at once.
"""

import asyncio
from dataclasses import dataclass

from tinker_mock.server.clock import RealClock

MOMENT = 1.0
SLOWEST = 64 * 1024
"""Bytes a second that a large body must arrive at, on top of the patience for a small one."""


@dataclass(eq=False)
class Reading:
    """One body on its way. `late`: its time is over, and its task was cancelled for that."""

    task: asyncio.Task[object] | None
    begun: float
    size: int = 0
    late: bool = False


class ReadDeadlines:
    """Real time, whatever the server's clock: it guards the server, not the simulated service."""

    def __init__(self, patience: float) -> None:
        self.patience = patience
        self._clock = RealClock()
        self._moment = min(MOMENT, patience / 2)
        self._readings: set[Reading] = set()
        self._looking = False

    def begin(self) -> Reading:
        """The current task starts to read a body."""
        reading = Reading(asyncio.current_task(), self._clock.monotonic())
        self._readings.add(reading)
        if not self._looking:
            self._look_soon()
        return reading

    def end(self, reading: Reading) -> None:
        """It is there, or will not come."""
        self._readings.discard(reading)

    def allowed(self, reading: Reading) -> float:
        """Seconds within which what has come must have come."""
        return self.patience + reading.size / SLOWEST

    def _look_soon(self) -> None:
        self._looking = True
        self._clock.call_at(self._clock.monotonic() + self._moment, self._look)

    def _look(self) -> None:
        self._looking = False
        now = self._clock.monotonic()
        for reading in self._readings:
            if now - reading.begun > self.allowed(reading) and not reading.late:
                reading.late = True
                if reading.task is not None:
                    reading.task.cancel()
        if self._readings:
            self._look_soon()
