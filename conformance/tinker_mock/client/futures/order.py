"""The order in which operations of one model are submitted.

Numbers are reserved when an operation is called, so the program's order is the server's order,
however long each submission takes.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from tinker_mock.client.errors import Category, PoisonedClientError


@dataclass(frozen=True, slots=True)
class Reservation:
    """One operation's place in the line, and the sequence ids it may use."""

    place: int
    seq_ids: range


class SubmissionOrder:
    """Hands out places in a line; each one's turn begins when all earlier ones have ended.

    With `poison`, a turn that ends in an error makes all later ones fail: its numbers never
    reached the server, which would wait for them for ever.
    """

    def __init__(self, *, poison: bool = True) -> None:
        self._next_id = 1
        self._next_place = 0
        self._current = 0
        self._ended: set[int] = set()
        self._waiting: dict[int, asyncio.Event] = {}
        self._poison = poison
        self.failure: BaseException | None = None

    def reserve(self, count: int) -> Reservation:
        """Take `count` consecutive sequence ids."""
        reservation = Reservation(self._next_place, range(self._next_id, self._next_id + count))
        self._next_place += 1
        self._next_id += count
        return reservation

    @asynccontextmanager
    async def during(self, reservation: Reservation) -> AsyncIterator[None]:
        """Wait for the turn and hold it. Raises `PoisonedClientError` after an earlier failure."""
        try:
            if self._current < reservation.place:
                event = self._waiting.setdefault(reservation.place, asyncio.Event())
                await event.wait()
            if self.failure is not None:
                raise PoisonedClientError(
                    "an earlier operation was never accepted by the server, so no later one can "
                    "run; create a new training client from the last checkpoint",
                    category=Category.USER,
                ) from self.failure
            yield
        except BaseException as error:
            if self._poison and self.failure is None:
                self.failure = error
            raise
        finally:
            self._end(reservation.place)

    def _end(self, place: int) -> None:
        self._ended.add(place)
        while self._current in self._ended:
            self._ended.remove(self._current)
            self._current += 1
        waiter = self._waiting.pop(self._current, None)
        if waiter is not None:
            waiter.set()
