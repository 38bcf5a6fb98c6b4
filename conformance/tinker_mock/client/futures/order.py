"""The order in which operations of one model are submitted.

A place in the line is taken when an operation is called, so the program's order is the server's
order, however long each submission takes. Sequence ids are taken when the turn comes: what fails
before it sends anything leaves no gap that the server would wait for.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from tinker_mock.client.errors import Category, PoisonedClientError


class Turn:
    """One operation's turn; `take` gives the next sequence ids."""

    def __init__(self, order: "SubmissionOrder") -> None:
        self._order = order
        self.taken = 0

    def take(self, count: int) -> range:
        """`count` consecutive ids, which are this operation's from now on."""
        first = self._order.next_id
        self._order.next_id += count
        self.taken += count
        return range(first, first + count)


class SubmissionOrder:
    """Hands out places in a line; each one's turn begins when all earlier ones have ended.

    With `poison`, a turn that took numbers and ends in an error makes all later ones fail: its
    numbers may never have reached the server, which would wait for them for ever.
    """

    def __init__(self, *, poison: bool = True) -> None:
        self.next_id = 1
        self._next_place = 0
        self._current = 0
        self._ended: set[int] = set()
        self._waiting: dict[int, asyncio.Event] = {}
        self._poison = poison
        self.failure: BaseException | None = None

    def place(self) -> int:
        """Take the next place in the line; `during` must follow."""
        self._next_place += 1
        return self._next_place - 1

    @asynccontextmanager
    async def during(self, place: int) -> AsyncIterator[Turn]:
        """Wait for the turn and hold it. Raises `PoisonedClientError` after an earlier failure."""
        turn = Turn(self)
        try:
            if self._current < place:
                event = self._waiting.setdefault(place, asyncio.Event())
                await event.wait()
            if self.failure is not None:
                raise PoisonedClientError(
                    "an earlier operation was never accepted by the server, so no later one can "
                    "run; create a new training client from the last checkpoint",
                    category=Category.USER,
                ) from self.failure
            yield turn
        except BaseException as error:
            if self._poison and turn.taken and self.failure is None:
                self.failure = error
            raise
        finally:
            self._end(place)

    def _end(self, place: int) -> None:
        self._ended.add(place)
        while self._current in self._ended:
            self._ended.remove(self._current)
            self._current += 1
        waiter = self._waiting.pop(self._current, None)
        if waiter is not None:
            waiter.set()
