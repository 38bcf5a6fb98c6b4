"""Numbers put together: metrics of a batch's parts, its outputs, and the client's own counters."""

import logging
from typing import Any

import pytest

from tinker_mock.client import EventHub, ForwardBackwardOutput, ValidationError
from tinker_mock.client.config.presets import PYTHON_0_7, TINKEX, Preset
from tinker_mock.client.elixir.metrics import Metrics, Summary
from tinker_mock.client.futures.combine import combine, hash_unordered, reduce_metrics

Part = tuple[dict[str, float], int]
"""The metrics of one part of a batch, and of how many outputs."""


@pytest.mark.parametrize(
    ("parts", "metrics"),
    [
        pytest.param(
            [({"loss:mean": 1.0}, 1), ({"loss:mean": 3.0}, 3), ({"loss:mean": 5.0}, 2)],
            {"loss:mean": 10 / 3},
            id="mean by outputs",
        ),
        pytest.param(
            [({"loss:mean": 0.0}, 9), ({"loss:mean": 10.0}, 1)],
            {"loss:mean": 1.0},
            id="mean not by parts",
        ),
        pytest.param(
            [
                ({"tokens:sum": 100, "time:max": 1.1, "heat:min": 0.3, "drift:slack": 1.0}, 2),
                ({"tokens:sum": 50, "time:max": 1.5, "heat:min": 0.1, "drift:slack": 3.0}, 1),
                ({"tokens:sum": 75, "time:max": 1.2, "heat:min": 0.2, "drift:slack": 5.0}, 3),
            ],
            {"tokens:sum": 225, "time:max": 1.5, "heat:min": 0.1, "drift:slack": 5 / 3},
            id="sum, max, min, slack",
        ),
        pytest.param([({"drift:slack": 4.0}, 2)], {"drift:slack": 0.0}, id="slack of one part"),
    ],
)
@pytest.mark.parametrize("preset", [TINKEX, PYTHON_0_7], ids=lambda preset: preset.name)
def test_metrics_of_parts_are_put_together_by_their_suffix(
    parts: list[Part], metrics: dict[str, float], preset: Preset
) -> None:
    assert reduce_metrics(parts, preset) == pytest.approx(metrics, rel=1e-9)


@pytest.mark.parametrize(
    ("parts", "one_client", "the_other"),
    [
        pytest.param(
            [({"clock:unique": value}, 1) for value in (10.0, 11.0, 12.0)],
            {"clock:unique": 10.0, "clock:unique_2": 11.0, "clock:unique_3": 12.0},
            {"clock:unique": 10.0, "clock:unique_1": 11.0, "clock:unique_2": 12.0},
            id="names of unique values",
        ),
        pytest.param(
            [({"loss": 1.0}, 1), ({"loss": 3.0}, 1)],
            {"loss": 2.0},
            "exactly one colon",
            id="no suffix",
        ),
        pytest.param(
            [
                ({"loss:mean": 5.0, "drift:slack": 1.0}, 0),
                ({"loss:mean": 15.0, "drift:slack": 2.0}, 0),
            ],
            {"loss:mean": 0.0, "drift:slack": 0.0},
            "undefined",
            id="no outputs",
        ),
        pytest.param(
            [({"efficiency:median": 1.0}, 1), ({"efficiency:median": 3.0}, 3)],
            {"efficiency:median": 2.5},
            {},
            id="unknown suffix",
        ),
        pytest.param(
            [({"hits:mean": 0.8}, 2), ({"something_else:sum": 10}, 4), ({"hits:mean": 0.6}, 1)],
            {"hits:mean": 2.2 / 3},
            {},
            id="missing in a later part",
        ),
    ],
)
def test_where_the_original_clients_differ_the_preset_decides(
    parts: list[Part], one_client: dict[str, float], the_other: dict[str, float] | str
) -> None:
    assert reduce_metrics(parts, TINKEX) == pytest.approx(one_client, rel=1e-9)
    if isinstance(the_other, str):
        with pytest.raises(ValidationError, match=the_other):
            reduce_metrics(parts, PYTHON_0_7)
    else:
        assert reduce_metrics(parts, PYTHON_0_7) == the_other


def test_hashes_of_different_values_differ() -> None:
    assert hash_unordered([1.0, 2.0], [], TINKEX) != hash_unordered([1.0, 3.0], [], TINKEX)


def test_outputs_of_parts_stand_in_order() -> None:
    parts = [
        ForwardBackwardOutput("T", [{"n": 1}, {"n": 2}], {"loss:mean": 1.0, "tokens:sum": 10}),
        ForwardBackwardOutput("T", [{"n": 3}], {"loss:mean": 3.0, "tokens:sum": 5}),
    ]
    whole = combine(parts, TINKEX)
    assert whole.loss_fn_outputs == [{"n": 1}, {"n": 2}, {"n": 3}]
    assert whole.metrics == pytest.approx({"loss:mean": 5 / 3, "tokens:sum": 15}, rel=1e-9)


def test_parts_of_two_kinds_are_of_the_first_and_a_warning(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    parts = [ForwardBackwardOutput(kind, [{}], {}) for kind in ("per-example", "per-token")]
    assert combine(parts, TINKEX).loss_fn_output_type == "per-example"
    assert "mixed loss_fn_output_type" in caplog.text


def summary(metrics: Metrics, name: str) -> dict[str, Any]:
    found = metrics.histograms[name].summary()
    assert isinstance(found, Summary)
    return {key: getattr(found, key) for key in ("count", "mean", "p50", "p95", "p99")}


def test_counters_gauges_and_histograms() -> None:
    own = Metrics()
    own.increment("counter", 1)
    own.increment("counter", 2)
    own.set_gauge("gauge", 5)
    for value in (5.0, 15.0):
        own.record("histogram", value)
    assert (own.counters["counter"], own.gauges["gauge"]) == (3, 5)
    found = summary(own, "histogram")
    assert (found["count"], found["mean"], found["p50"], found["p95"]) == (2, 10.0, 10.0, 15.0)


def test_requests_are_counted_and_timed() -> None:
    own, events = Metrics(), EventHub()
    own.watch(events)
    for duration, result in ((10, "ok"), (20, "ok"), (40, "error")):
        events.emit("http.request.stop", duration_ms=duration, result=result)
    assert own.counters == {
        "tinkex_requests_total": 3,
        "tinkex_requests_success": 2,
        "tinkex_requests_failure": 1,
    }
    wanted = {"count": 3, "mean": 23.333, "p50": 20, "p95": 40, "p99": 40}
    assert summary(own, "tinkex_request_duration_ms") == pytest.approx(wanted, rel=1e-4)
