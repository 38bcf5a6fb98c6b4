"""Places of a few among many, without touching the many."""

import numpy as np

from tinker_mock.server.engine.model.keys import Ints


class Numbering:
    """A table of places that is kept, and cleared after use where it was written."""

    def __init__(self) -> None:
        self._place = np.zeros(0, dtype=np.int32)

    def of(self, members: Ints, wanted: Ints, size: int) -> Ints:
        """The place of each wanted number among the distinct members, -1 where it is none.

        All are below `size`; a wanted -1 has no place.
        """
        if self._place.size < size + 1:
            self._place = np.full(2 * size + 1, -1, dtype=np.int32)
        self._place[members] = np.arange(members.size)
        # The last place, which is that of -1, is never written.
        found = self._place[wanted].astype(np.int64)
        self._place[members] = -1
        return found
