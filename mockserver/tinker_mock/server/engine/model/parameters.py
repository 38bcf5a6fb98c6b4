"""One state of an adapter, ready to compute with; never changed."""

from __future__ import annotations

from collections.abc import Callable
from threading import Lock
from typing import Any, TypeVar

from tinker_mock.server.engine.model.adapter import Adapter
from tinker_mock.server.engine.model.normalisers import Normalisers
from tinker_mock.server.engine.model.score import Scorer
from tinker_mock.server.lru import LruCache

T = TypeVar("T")

KEPT_TEMPERATURES = 4


class Parameters:
    """An adapter that nobody trains any more. Scorers, and what is computed from them, are made on
    demand and kept: here, so that they go with it, and wait for no garbage collector."""

    def __init__(self, adapter: Adapter) -> None:
        self.adapter = adapter
        self._lock = Lock()
        self._scorers: LruCache[float, Scorer] = LruCache(KEPT_TEMPERATURES)
        self._derived: LruCache[tuple[float, Callable[[Scorer], Any]], Any] = LruCache(
            KEPT_TEMPERATURES
        )

    def scorer(self, temperature: float = 1.0) -> Scorer:
        """Log-probabilities at a temperature; the last few are kept."""
        return self._scorers.get_or_make(temperature, lambda: self._make_scorer(temperature))

    def derived(self, temperature: float, make: Callable[[Scorer], T]) -> T:
        """What `make` computes from the scorer of a temperature; the last few are kept."""
        found: T = self._derived.get_or_make(
            (temperature, make), lambda: make(self.scorer(temperature))
        )
        return found

    def _make_scorer(self, temperature: float) -> Scorer:
        with self._lock:  # one of another temperature may be adding contexts to the table
            normalisers = Normalisers(self.adapter.table, self.adapter, temperature)
        return Scorer(self.adapter.table, normalisers, self._lock)
