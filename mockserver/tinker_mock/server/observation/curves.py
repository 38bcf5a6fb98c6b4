"""The curves of models under training: one point per optimizer step, as a dashboard wants them."""

from collections import defaultdict, deque
from collections.abc import Container
from dataclasses import dataclass, field
from math import fsum

POINTS_KEPT = 10_000
"""Steps per model that are kept; the oldest go first."""
MODELS_KEPT = 1_000
BATCHES_KEPT = 1_000
"""Batches of one step that its point tells of."""
ALL_POINTS = 50_000
"""Steps of all models together; those of the models begun first go first."""


@dataclass(frozen=True)
class BatchFigures:
    """What one forward_backward was about. `tokens` counts positions, `weight` is Σ|w| of the
    loss where it has weights and the number of positions that count otherwise; `means` are of the
    positions that count, by name."""

    tokens: int
    weight: float
    means: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Point:
    """One optimizer step. `at`: Unix seconds of the server's clock."""

    step: int
    at: float
    names: tuple[str, ...]
    numbers: tuple[float, ...]

    @property
    def values(self) -> dict[str, float]:
        """By name."""
        return dict(zip(self.names, self.numbers, strict=True))


Batches = deque[tuple[BatchFigures, dict[str, float]]]


class Curves:
    """Points by model id. Losses are gathered until the step that uses their gradient."""

    def __init__(self) -> None:
        self.points: dict[str, deque[Point]] = {}
        self._gathered: defaultdict[str, Batches] = defaultdict(lambda: deque(maxlen=BATCHES_KEPT))
        self._last: dict[str, float] = {}
        self._total = 0

    def batch(self, model_id: str, figures: BatchFigures, metrics: dict[str, float]) -> None:
        """A forward_backward was done; `metrics` are those of its answer."""
        self._kept(model_id)
        self._gathered[model_id].append((figures, metrics))

    def step(self, model_id: str, step: int, at: float, values: dict[str, float]) -> None:
        """An optimizer step was done; `values` are its learning rate and its answer's metrics."""
        values = dict(values)
        gathered = self._gathered.pop(model_id, ())
        tokens = sum(figures.tokens for figures, _ in gathered)
        weight = sum(figures.weight for figures, _ in gathered)
        for name in sorted({name for _, metrics in gathered for name in metrics}):
            found = [metrics[name] for _, metrics in gathered if name in metrics]
            total = sum(found)
            values[name] = total if name.endswith(":sum") else total / len(found)
        for name in sorted({name for figures, _ in gathered for name in figures.means}):
            means = [figures.means[name] for figures, _ in gathered if name in figures.means]
            values[name] = fsum(means) / len(means)
        if gathered:
            values["tokens"] = tokens
            values["loss per token"] = values.get("loss:sum", 0.0) / weight if weight else 0.0
        last = self._last.get(model_id)
        if last is not None and at > last:
            values["tokens per second"] = tokens / (at - last)
        self._last[model_id] = at
        kept = self._kept(model_id)
        self._total += len(kept) < POINTS_KEPT
        names = tuple(values)
        if kept and kept[-1].names == names:
            names = kept[-1].names  # one for all of them
        kept.append(Point(step, at, names, tuple(values.values())))
        while self._total > ALL_POINTS and len(self.points) > 1:
            self._drop(next(iter(self.points)))

    def of(self, model_id: str, after: int = 0, since: float = 0.0) -> list[Point]:
        """A model's points beyond step `after`, of the time `since` and later, oldest first."""
        found = []
        for point in reversed(self.points[model_id]):
            if point.at < since:
                break
            if point.step > after:
                found.append(point)
        return found[::-1]

    def keep_only(self, models: Container[str]) -> None:
        """Forget the curves of all other models."""
        for model_id in [one for one in self.points if one not in models]:
            self._drop(model_id)

    def forget(self) -> None:
        """As after a fresh start."""
        self.points.clear()
        self._gathered.clear()
        self._last.clear()
        self._total = 0

    def _kept(self, model_id: str) -> deque[Point]:
        if model_id not in self.points:
            while len(self.points) >= MODELS_KEPT:
                self._drop(next(iter(self.points)))
            self.points[model_id] = deque(maxlen=POINTS_KEPT)
        return self.points[model_id]

    def _drop(self, model_id: str) -> None:
        """A model, and what is known of it."""
        self._total -= len(self.points.pop(model_id))
        self._gathered.pop(model_id, None)
        self._last.pop(model_id, None)
