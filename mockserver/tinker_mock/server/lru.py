"""A bounded mapping that keeps what was used last. Safe to use from several threads."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class LruCache(Generic[K, V]):
    """At most `limit` values; the one used longest ago goes first."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._kept: OrderedDict[K, V] = OrderedDict()
        self._lock = threading.Lock()

    def __deepcopy__(self, memo: dict[int, object]) -> LruCache[K, V]:
        """A copy keeps nothing: what is kept can be made again, and a lock cannot be copied."""
        return LruCache(self._limit)

    def get(self, key: K) -> V | None:
        """The kept value, which counts as used; None if there is none."""
        with self._lock:
            if key not in self._kept:
                return None
            self._kept.move_to_end(key)
            return self._kept[key]

    def get_or_make(self, key: K, make: Callable[[], V]) -> V:
        """The kept value, or a new one.

        `make` runs outside the lock: two threads may make the same value, and the later one stays.
        """
        found = self.get(key)
        if found is None:
            found = make()
            self.put(key, found)
        return found

    def put(self, key: K, value: V) -> None:
        """Keep a value; what was used longest ago makes room for it."""
        with self._lock:
            self._kept[key] = value
            self._kept.move_to_end(key)
            while len(self._kept) > self._limit:
                self._kept.popitem(last=False)

    def __len__(self) -> int:
        return len(self._kept)
