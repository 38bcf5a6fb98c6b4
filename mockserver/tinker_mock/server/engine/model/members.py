"""The lists of entries of all contexts, in one pool."""

from __future__ import annotations

import numpy as np

from tinker_mock.server.engine.model.columns import Column
from tinker_mock.server.engine.model.keys import Ints, Narrow, segment_starts


def spans(starts: Narrow, lengths: Narrow) -> Ints:
    """The numbers start, start + 1, … of every span, end to end."""
    ends = np.cumsum(lengths)
    total = int(ends[-1]) if ends.size else 0
    return np.repeat(starts - (ends - lengths), lengths) + np.arange(total)


class Members:
    """Lists that grow: each has a stretch of the pool, and moves when it is full."""

    def __init__(self) -> None:
        none = np.zeros(0, dtype=np.int32)
        self.start: Column[np.int32] = Column(none)
        self.length: Column[np.int32] = Column(none)
        self.room: Column[np.int32] = Column(none)
        self.pool: Column[np.int32] = Column(none)

    def add(self, count: int) -> None:
        """That many lists more, empty."""
        for column in (self.start, self.length, self.room):
            column.extend_by(count, 0)

    def add_full(self, lengths: Ints, members: Ints) -> None:
        """Lists more, with these members end to end."""
        self.start.extend(self.pool.size + np.cumsum(lengths) - lengths)
        self.length.extend(lengths)
        self.room.extend(lengths)
        self.pool.extend(members)

    def of(self, lists: Ints) -> tuple[Ints, Ints]:
        """The members of the lists end to end, and each list's length."""
        lengths = self.length.values[lists].astype(np.int64)
        places = spans(self.start.values[lists], lengths)
        return self.pool.values.take(places).astype(np.int64), lengths

    def append(self, lists: Ints, members: Ints) -> None:
        """Append each member to its list, in the order given."""
        if lists.size == 0:
            return
        order = np.argsort(lists, kind="stable")
        begins = segment_starts(lists[order])
        touched = lists[order][begins]
        counts = np.diff(np.r_[begins, lists.size])
        start, length, room = self.start.values, self.length.values, self.room.values
        wanted = length[touched] + counts
        self._move(touched[wanted > room[touched]], wanted[wanted > room[touched]])
        self.pool.values[spans(start[touched] + length[touched], counts)] = members[order]
        length[touched] += counts

    def _move(self, full: Ints, wanted: Ints) -> None:
        """Give full lists a stretch at the pool's end; one that grew before gets twice as much."""
        start, length, room = self.start.values, self.length.values, self.room.values
        old, size = spans(start[full], length[full]), np.where(length[full] > 0, 2 * wanted, wanted)
        fresh = self.pool.size + np.cumsum(size) - size
        self.pool.extend_by(int(size.sum()), -1)
        self.pool.values[spans(fresh, length[full])] = self.pool.values[old]
        start[full], room[full] = fresh, size

    def branch(self) -> Members:
        """A copy that may go its own way: lists move and grow in place, so nothing is shared."""
        copy = Members()
        copy.start, copy.length = self.start.branch(), self.length.branch()
        copy.room, copy.pool = self.room.branch(), self.pool.branch()
        return copy
