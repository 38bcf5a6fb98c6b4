"""Which weights are unpacked: those used last."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from weakref import ref

from tinker_mock.server.engine.model.parameters import Parameters
from tinker_mock.server.engine.model.weights import Weights


class Resident:
    """Unpacked weights, which the weights hold themselves: they go when nobody has the weights.

    Of those that are alive at most `limit` stay unpacked. Safe to use from several threads.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._used: OrderedDict[int, ref[Weights]] = OrderedDict()
        self._lock = threading.Lock()

    def __deepcopy__(self, memo: dict[int, object]) -> Resident:
        """A copy keeps nothing: what is unpacked can be unpacked again."""
        return Resident(self._limit)

    def of(self, weights: Weights, unpack: Callable[[], Parameters]) -> Parameters:
        """The weights, unpacked now if they are not; two threads may do so at once."""
        found = weights.unpacked or unpack()
        self.put(weights, found)
        return found

    def put(self, weights: Weights, parameters: Parameters) -> None:
        """Keep them; what was used longest ago makes room."""
        with self._lock:
            weights.unpacked = parameters
            self._used[id(weights)] = ref(weights)
            self._used.move_to_end(id(weights))
            while len(self._used) > self._limit:
                _, oldest = self._used.popitem(last=False)
                gone = oldest()
                if gone is not None:
                    gone.unpacked = None
