"""Arrays that grow at their end."""

from typing import Any, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

D = TypeVar("D", bound=np.generic)


class Column(Generic[D]):
    """A 1-D array with room to grow. `values` is the part in use, a view."""

    def __init__(self, values: NDArray[D]) -> None:
        self._room = values
        self.size = values.size

    @property
    def values(self) -> NDArray[D]:
        return self._room[: self.size]

    def extend(self, more: NDArray[Any]) -> None:
        """Append; what others hold of the values so far stays as it is."""
        wanted = self.size + more.size
        if wanted > self._room.size:
            grown = np.empty(max(wanted, self.size * 3 // 2), dtype=self._room.dtype)
            grown[: self.size] = self.values
            self._room = grown
        self._room[self.size : wanted] = more
        self.size = wanted

    def extend_by(self, count: int, value: Any) -> None:
        """Append `count` times the value."""
        self.extend(np.full(count, value, dtype=self._room.dtype))

    def branch(self) -> "Column[D]":
        """A copy that may go its own way."""
        return Column(self.values.copy())

    def frozen(self) -> "Column[D]":
        """The values of now, shared until either appends: for columns that nobody writes into."""
        return Column(self.values)
