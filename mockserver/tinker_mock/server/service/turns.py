"""Whose turn it is: so many pieces of work at a time, shared fairly by tenants.

Whoever used least goes on, and a newcomer counts as one who used as much as those who wait. Short
work goes before long work, so that a training step does not wait for a round of everybody's hours;
long work has every so-manieth turn for its own. What has begun holds a thread and half-made
arrays, so few begin while short work is half done.
"""

import threading
from collections import deque
from operator import attrgetter, methodcaller
from typing import Generic, Protocol, TypeVar

TURN = 0.005
"""Seconds of the processor that work may have before others go first."""
SHORT = 0.1
"""Seconds of turns up to which work is short."""
LONG_TURNS = 4
"""One turn of so many does not ask who is short."""
HALF_DONE = 8
"""Short work that has begun and waits; while there is so much, none begins."""


class Player(Protocol):
    """A piece of work, as far as turns are concerned."""

    owner: str
    spent: float
    """Processor seconds of its turns before this one."""
    begun: bool

    def turn(self) -> float:
        """Processor seconds of this one."""


P = TypeVar("P", bound=Player)


class Share(Generic[P]):
    """One tenant's work. `used`: seconds, counted from the same zero for everybody."""

    def __init__(self) -> None:
        self.used = 0.0
        self.present = 0
        self.begun = 0
        self.new: deque[P] = deque()
        self.paused: deque[P] = deque()

    def place(self, most_begun: int) -> tuple[bool, float]:
        """Its place among those who wait: short work first, then whoever used least."""
        queue = self.waiting(most_begun)
        return queue is not None and queue[0].spent > SHORT, self.used

    def waiting(self, most_begun: int) -> deque[P] | None:
        """Where the work is that comes next: new while fewer have begun, or paused."""
        if self.new and self.begun < most_begun:
            return self.new
        return self.paused or None


class Turns(Generic[P]):
    """`count` turns at a time. Its owner holds a lock during every call; a turn ends in the thread
    that had it."""

    def __init__(self, count: int) -> None:
        self.count = count
        self.free = count
        self.waiting = 0
        self.idle = threading.Event()
        """Nothing is here."""
        self.idle.set()
        self._shares: dict[str, Share[P]] = {}
        self._given = self._half_done = 0
        self._zero = 0.0
        """What a newcomer is taken to have used."""

    def enter(self, work: P) -> None:
        """New work waits for its first turn; begun elsewhere, for its first one here."""
        share = self._shares.setdefault(work.owner, Share())
        share.used = max(share.used, self._zero)
        share.present += 1
        if work.begun:
            share.begun += 1
        self._wait(work, share.paused if work.begun else share.new)
        self.idle.clear()

    def pause(self, work: P) -> None:
        """Its turn is over, and it waits for the next one."""
        self._wait(work, self._charge(work).paused)

    def leave(self, work: P) -> None:
        """It has ended, or goes elsewhere."""
        share = self._charge(work)
        share.begun -= 1
        share.present -= 1
        if not share.present:
            del self._shares[work.owner]
        if not self._shares:
            self.idle.set()

    def _wait(self, work: P, queue: deque[P]) -> None:
        queue.append(work)
        self.waiting += 1
        self._half_done += work.begun and work.spent <= SHORT

    def _charge(self, work: P) -> Share[P]:
        share, turn = self._shares[work.owner], work.turn()
        share.used += turn
        work.spent += turn
        self.free += 1
        return share

    def next(self) -> P | None:
        """Who has a free turn from now on."""
        if not (self.free and self.waiting):
            return None
        most = self.count if self._half_done < HALF_DONE else 0
        ready = [share for share in self._shares.values() if share.waiting(most)]
        if not ready:
            return None
        self._given += 1
        alike = self._given % LONG_TURNS == 0
        by_use, by_place = attrgetter("used"), methodcaller("place", most)
        share = min(ready, key=by_use if alike else by_place)
        queue = share.waiting(most)
        assert queue is not None
        work = queue.popleft()
        self._zero = max(self._zero, share.used)
        self.free -= 1
        self.waiting -= 1
        self._half_done -= work.begun and work.spent <= SHORT
        if not work.begun:
            share.begun += 1
        return work
