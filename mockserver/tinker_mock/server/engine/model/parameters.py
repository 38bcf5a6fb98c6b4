"""One state of an adapter, ready to compute with; never changed."""

from __future__ import annotations

from threading import Lock

from tinker_mock.server.engine.model.adapter import Adapter
from tinker_mock.server.engine.model.normalisers import Normalisers
from tinker_mock.server.engine.model.score import Scorer
from tinker_mock.server.lru import LruCache

KEPT_TEMPERATURES = 4


class Parameters:
    """An adapter that nobody trains any more. Scorers are made on demand and kept."""

    def __init__(self, adapter: Adapter) -> None:
        self.adapter = adapter
        self._lock = Lock()
        self._scorers: LruCache[float, Scorer] = LruCache(KEPT_TEMPERATURES)

    def scorer(self, temperature: float = 1.0) -> Scorer:
        """Log-probabilities at a temperature; the last few are kept."""
        return self._scorers.get_or_make(temperature, lambda: self._make_scorer(temperature))

    def _make_scorer(self, temperature: float) -> Scorer:
        normalisers = Normalisers(self.adapter.table, self.adapter.parameters, temperature)
        return Scorer(self.adapter.table, normalisers, self._lock)
