"""Clients that take too long to send a body or to take an answer.

One look a moment at all that are under way: a timer for each would cost every request, and most
bodies are there at once.
"""

import asyncio
from dataclasses import dataclass

from tinker_mock.server.clock import RealClock

MOMENT = 1.0
SLOWEST = 64 * 1024
"""Bytes a second that a large body must move at, on top of the patience for a small one."""


@dataclass(eq=False, slots=True)
class Transfer:
    """One body on its way. `late`: its time is over, and its task was cancelled for that."""

    task: asyncio.Task[object] | None
    begun: float
    size: int = 0
    late: bool = False

    def ended_late(self) -> bool:
        """Whether the cancellation that arrived was for being late; it is taken back then."""
        return self.late and self.task is not None and not self.task.uncancel()


class Deadlines:
    """Real time, whatever the server's clock: it guards the server, not the simulated service."""

    def __init__(self, patience: float) -> None:
        self.patience = patience
        self._clock = RealClock()
        self._moment = min(MOMENT, patience / 2)
        self._transfers: set[Transfer] = set()
        self._looking = False

    def begin(self, size: int = 0) -> Transfer:
        """The current task starts to move a body."""
        transfer = Transfer(asyncio.current_task(), self._clock.monotonic(), size)
        self._transfers.add(transfer)
        if not self._looking:
            self._look_soon()
        return transfer

    def end(self, transfer: Transfer) -> None:
        """It is done, or will not be."""
        self._transfers.discard(transfer)

    def allowed(self, transfer: Transfer) -> float:
        """Seconds within which it must have moved so far."""
        return self.patience + transfer.size / SLOWEST

    def _look_soon(self) -> None:
        self._looking = True
        self._clock.call_at(self._clock.monotonic() + self._moment, self._look)

    def _look(self) -> None:
        self._looking = False
        now = self._clock.monotonic()
        for transfer in self._transfers:
            if now - transfer.begun > self.allowed(transfer) and not transfer.late:
                transfer.late = True
                if transfer.task is not None:
                    transfer.task.cancel()
        if self._transfers:
            self._look_soon()
