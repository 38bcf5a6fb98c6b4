"""Bills, the audit log and traces, as documented."""

import json

import httpx
import pytest

from tests.server.conftest import BASE, TOKENS, Api, sample, training_step
from tinker_mock.server.serving.in_thread import RunningServer

WINDOW = {"starting_on": "2026-01-01T00:00:00Z", "ending_before": "2026-01-02T00:00:00Z"}


@pytest.mark.tinker_mock(clock="manual", session_timeout=7200.0)
def test_usage_has_a_row_for_each_hour_type_model_session_and_user(
    tinker_mock: RunningServer,
) -> None:
    api = Api(tinker_mock, "tml-rows")
    with api.http:
        first, second = api.session(), api.session()
        model, other = api.model(first), api.model(second, base_model="openai/gpt-oss-20b")
        for number in (1, 2):
            api.done("forward_backward", training_step(model, number))
        api.done("forward_backward", training_step(other, 1))
        tinker_mock.call(tinker_mock.mock.clock.run_for(3600))
        api.done("forward_backward", training_step(model, 3))
        rows = api.get("billing/usage/events", **WINDOW).json()["data"]
    training = [row for row in rows if row["event_info"]["type"] == "training"]
    told = {
        (row["bucket_start"][11:13], row["base_model"], row["session_id"]): row["event_info"][
            "token_count"
        ]
        for row in training
    }
    passed = len(TOKENS) - 1
    assert len(training) == len(told)
    assert told == {
        ("00", BASE, first): 2 * passed,
        ("00", "openai/gpt-oss-20b", second): passed,
        ("01", BASE, first): passed,
    }
    assert len({row["user_id"] for row in training}) == 1
    assert all(row["bucket_end"][11:13] != row["bucket_start"][11:13] for row in training)


def test_audit_events_are_named_by_thing_and_verb(api: Api) -> None:
    """checkpoint_read is told for a download and for training from it."""
    model = api.model()
    path = api.done("save_weights", {"model_id": model, "seq_id": 1, "path": "a"})["path"]
    api.get(f"training_runs/{model}/checkpoints/weights/a/archive")
    loading = {"session_id": api.session(), "model_seq_id": 0, "path": path, "optimizer": False}
    api.done("load_weights", loading)
    entries = api.get("audit", event_type="checkpoints").json()["entries"]
    read = [one for one in entries if one["event"] == "checkpoint_read"]
    assert [one.get("purpose") for one in read] == ["download", "training"]
    names = {one["event"] for one in api.get("audit").json()["entries"]}
    assert all("_" in name and name == name.lower() and "." not in name for name in names), names


def test_a_trace_counts_throughput_too(tinker_mock: RunningServer) -> None:
    """With a clock that goes on: tokens per second, each kind's own."""
    api = Api(tinker_mock, "tml-throughput")
    with api.http:
        session = api.session()
        api.done("forward_backward", training_step(api.model(session), 1))
        api.done("asample", sample(api.sampler(session), 0))
        api.get(f"sessions/{session}/trace_export")
        url = api.get(f"sessions/{session}/trace_export").json()["url"]
        events = json.loads(httpx.get(url, timeout=60).content)["traceEvents"]
    counters = {event["name"] for event in events if event["ph"] == "C"}
    assert counters == {
        "Concurrency: requests in flight",
        "Latency: seconds",
        "Per request: tokens",
        "Throughput: tokens per second",
        "Totals: tokens",
    }
    rates = [event["args"] for event in events if event["name"].startswith("Throughput")]
    assert {kind for rate in rates for kind in rate} == {"training", "sampling"}
