"""Counts of what was seen, of which the latest are remembered."""

from __future__ import annotations

from collections import OrderedDict


class RecentCounts:
    """How often each of the last `most` different keys was seen; who is forgotten begins anew."""

    def __init__(self, most: int) -> None:
        self.most = most
        self._counts: OrderedDict[str, int] = OrderedDict()

    def count(self, key: str) -> int:
        """See a key once more; returns how often it was seen by now."""
        seen = self._counts.pop(key, 0) + 1
        self._counts[key] = seen
        if len(self._counts) > self.most:
            self._counts.popitem(last=False)
        return seen

    def __getitem__(self, key: str) -> int:
        return self._counts.get(key, 0)

    def __len__(self) -> int:
        return len(self._counts)
