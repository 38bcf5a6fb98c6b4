"""Places of a few among many, without touching the many."""

import numpy as np

from tinker_mock.server.engine.model.keys import Ints, Narrow


class Numbering:
    """A table of places, which is kept for as long as the same members are asked about."""

    def __init__(self) -> None:
        self._place = np.zeros(0, dtype=np.int32)
        self._members = np.zeros(0, dtype=np.int64)

    def of(self, members: Ints, wanted: Narrow, size: int) -> Ints:
        """The place of each wanted number among the distinct members, -1 where it is none.

        All are below `size`; a wanted -1 has no place. Members that were asked about must not have
        changed since.
        """
        if self._place.size < size + 1:
            self._place = np.full(size + size // 4 + 1, -1, dtype=np.int32)
            self._members = self._members[:0]
        if members is not self._members:
            self._place[self._members] = -1
            self._place[members] = np.arange(members.size)
            self._members = members
        # The last place, which is that of -1, is never written.
        return self._place.take(wanted).astype(np.int64)
