"""Counters, gauges and histograms of one client, without any other package."""

import math
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tinker_mock.client.watch.events import Event, EventHub

_KEPT_SAMPLES = 1000


@dataclass(frozen=True, slots=True)
class Summary:
    """A histogram's numbers. `p50` is the median, the others nearest rank."""

    count: int
    mean: float
    p50: float
    p95: float
    p99: float


@dataclass(slots=True)
class Histogram:
    """The newest thousand samples."""

    count: int = 0
    total: float = 0.0
    samples: deque[float] = field(default_factory=lambda: deque(maxlen=_KEPT_SAMPLES))

    def record(self, value: float) -> None:
        self.count += 1
        self.total += value
        self.samples.append(value)

    def summary(self) -> Summary | None:
        """`None` before the first sample."""
        if not self.count:
            return None
        ordered = sorted(self.samples)
        return Summary(
            self.count,
            self.total / self.count,
            _median(ordered),
            _rank(ordered, 0.95),
            _rank(ordered, 0.99),
        )


class Metrics:
    """Named instruments. `watch` fills the request metrics from a client's events."""

    def __init__(self) -> None:
        self.counters: dict[str, int] = {}
        self.gauges: dict[str, float] = {}
        self.histograms: dict[str, Histogram] = {}

    def increment(self, name: str, by: int = 1) -> None:
        self.counters[name] = self.counters.get(name, 0) + by

    def set_gauge(self, name: str, value: float) -> None:
        self.gauges[name] = value

    def record(self, name: str, value: float) -> None:
        self.histograms.setdefault(name, Histogram()).record(value)

    def snapshot(self) -> dict[str, Any]:
        """Counters, gauges and summaries of histograms as they are now; a copy."""
        summaries = {name: one.summary() for name, one in self.histograms.items()}
        return {
            "counters": dict(self.counters),
            "gauges": dict(self.gauges),
            "histograms": {name: one for name, one in summaries.items() if one is not None},
        }

    def reset(self) -> None:
        """Forget everything."""
        self.counters.clear()
        self.gauges.clear()
        self.histograms.clear()

    def watch(self, events: EventHub) -> Callable[[], None]:
        """Count requests and their durations (milliseconds); returns how to stop."""
        return events.subscribe("http.request.", self._on_request)

    def _on_request(self, event: Event) -> None:
        if event.name == "http.request.start":
            return
        self.increment("tinkex_requests_total")
        outcome = "success" if event.data.get("result") == "ok" else "failure"
        self.increment(f"tinkex_requests_{outcome}")
        self.record("tinkex_request_duration_ms", float(event.data["duration_ms"]))


def _median(ordered: list[float]) -> float:
    middle = len(ordered) // 2
    if len(ordered) % 2:
        return ordered[middle]
    return (ordered[middle - 1] + ordered[middle]) / 2


def _rank(ordered: list[float], quantile: float) -> float:
    return ordered[max(0, math.ceil(quantile * len(ordered)) - 1)]
