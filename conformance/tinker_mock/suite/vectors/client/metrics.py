"""Metrics of chunks, results of chunks, and the client's own counters."""

from typing import Any

from tinker_mock.client import ValidationError
from tinker_mock.client.compat.metrics import Metrics, Summary
from tinker_mock.client.config.presets import PYTHON_0_7, TINKEX
from tinker_mock.client.futures.combine import combine, hash_unordered, reduce_metrics
from tinker_mock.client.types.results import ForwardBackwardOutput
from tinker_mock.client.watch.events import EventHub
from tinker_mock.suite.vectors.client.stage import Captured, Component
from tinker_mock.suite.vectors.comparison import Partial


def reduction(given: Any, entry: Any) -> Any:
    """Under the preset whose column the vector is; a conflict is also checked to be one."""
    if isinstance(given, dict):
        first, second = (hash_unordered(given[name], [], TINKEX) for name in "ab")
        return {"equal": first == second}
    chunks = [(one["metrics"], one["n_outputs"]) for one in given]
    preset = PYTHON_0_7 if "python" in entry["name"] else TINKEX
    result = reduce_metrics(chunks, preset)
    if "conflict" in entry:
        try:
            if reduce_metrics(chunks, PYTHON_0_7) == result:
                raise AssertionError("the presets agree where the original clients do not")
        except ValidationError:
            pass  # the Python client raises here
    return result


def combiner(given: Any, entry: Any) -> Any:
    kinds = given if isinstance(given[0], str) else ["T"] * len(given)
    results = [
        ForwardBackwardOutput(
            kind,
            [{}] * (one["n_outputs"] if isinstance(one, dict) else 1),
            one["metrics"] if isinstance(one, dict) else {},
        )
        for one, kind in zip(given, kinds, strict=True)
    ]
    with Captured() as captured:
        result = combine(results, TINKEX)
    if isinstance(given[0], str):
        return {"loss_fn_output_type": result.loss_fn_output_type, "log": captured.text}
    count = len(result.loss_fn_outputs)
    return {
        "loss_fn_outputs": f"concatenated in chunk order ({count})",
        "metrics": result.metrics,
    }


def metrics(given: Any, _entry: Any) -> Any:
    own = Metrics()
    if "increment" in given:
        for by in given["increment"]:
            own.increment("counter", by)
        own.set_gauge("gauge", given["gauge"])
        for value in given["histogram"]:
            own.record("histogram", value)
        numbers = own.counters | own.gauges
        return Partial(numbers | _summary(own.histograms["histogram"].summary()))
    events = EventHub()
    own.watch(events)
    for duration, result in zip(given["durations_ms"], given["results"], strict=True):
        events.emit("http.request.stop", duration_ms=duration, result=result)
    histogram = own.histograms["tinkex_request_duration_ms"]
    return Partial(own.counters | _summary(histogram.summary()))


def _summary(summary: Summary | None) -> dict[str, float]:
    assert summary is not None
    names = ("count", "mean", "p50", "p95", "p99")
    return {name: getattr(summary, name) for name in names}


COMPONENTS: dict[str, Component] = {
    "MetricsReduction": reduction,
    "Combiner": combiner,
    "Metrics": metrics,
}
