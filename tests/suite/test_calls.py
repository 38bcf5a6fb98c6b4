"""Calls as a program reports them are held against the journal: whatever differs is seen."""

import copy
import os
import sys
from collections.abc import Callable
from importlib.resources import files
from typing import Any

import pytest

from tinker_mock.client import compat
from tinker_mock.suite.client.audit import judge_check, record_traffic
from tinker_mock.suite.client.fields import difference, fields_of
from tinker_mock.suite.client.judging import CLIENT_CHECKS
from tinker_mock.suite.client.traffic import RecordedExchange, Traffic
from tinker_mock.suite.core.verdict import Status

RECIPE = str(files("tinker_mock.suite.client") / "recipes" / "every_use.py")
MEANING = ("asked", "told", "order", "nothing-else", "refusals")
Line = dict[str, Any]
Change = Callable[[list[Line]], object]


@pytest.fixture(scope="module")
def recorded() -> Traffic:
    """The recipe on this project's client, once."""
    path = os.pathsep.join([str(compat.path()), *filter(None, sys.path)])
    environment = {**os.environ, "PYTHONPATH": path}
    return record_traffic([sys.executable, RECIPE], "healthy", 300, environment)


def judged(traffic: Traffic) -> dict[str, Status]:
    begin = "client/understood/"
    return {
        name: judge_check(CLIENT_CHECKS[begin + name], {"healthy": traffic}).status
        for name in MEANING
    }


def reported_otherwise(recorded: Traffic, change: Change) -> set[str]:
    """The rules that a run with another report does not keep."""
    report = copy.deepcopy(recorded.report)
    change(report)
    said = Traffic(recorded.situation, recorded.exchanges, report=report)
    return {name for name, status in judged(said).items() if status is not Status.PASS}


def calls(report: list[Line], operation: str) -> list[Line]:
    return [line for line in report if line.get("operation") == operation]


def test_a_client_that_loses_nothing_is_said_to_lose_nothing(recorded: Traffic) -> None:
    assert recorded.exit_code == 0, recorded.output
    assert judged(recorded) == dict.fromkeys(MEANING, Status.PASS)
    bad = [
        judge_check(check, {"healthy": recorded})
        for check in CLIENT_CHECKS.values()
        if check.situation == "healthy"
    ]
    assert [one.check for one in bad if one.status.bad] == []


def weight(report: list[Line]) -> None:
    datum = calls(report, "forward_backward")[0]["asked"]["data"][1]
    datum["loss_fn_inputs"]["weights"]["data"][0] += 0.01


def swap(report: list[Line]) -> None:
    first, second = calls(report, "asample")[:2]
    first["told"], second["told"] = second["told"], first["told"]


def drop_pass(report: list[Line]) -> None:
    report.remove(calls(report, "forward_backward")[1])


def step_first(report: list[Line]) -> None:
    passed, step = calls(report, "forward_backward")[0], calls(report, "optim_step")[0]
    report.remove(step)
    report.insert(report.index(passed), step)


def metric(report: list[Line]) -> None:
    cut = max(calls(report, "forward_backward"), key=lambda line: len(line["asked"]["data"]))
    cut["told"]["metrics"]["loss:sum"] *= 1.001


CHANGES: dict[str, tuple[Change, set[str]]] = {
    "a weight": (weight, {"asked", "nothing-else"}),
    "a sampling parameter": (
        lambda report: calls(report, "asample")[1]["asked"]["sampling_params"].update(top_k=13),
        {"asked"},
    ),
    "the sampler of a sample": (
        lambda report: calls(report, "asample")[-1]["asked"]["sampling_session_id"].update(
            told_by="create_sampling_session 1"
        ),
        {"asked"},
    ),
    "a setting of the optimizer": (
        lambda report: calls(report, "optim_step")[0]["asked"]["adam_params"].update(beta1=0.9),
        {"asked", "nothing-else"},
    ),
    "the checkpoint that is deleted": (
        lambda report: calls(report, "delete_checkpoint")[0]["asked"].update(name="kept"),
        {"asked"},
    ),
    "the page that is listed": (
        lambda report: calls(report, "list_training_runs")[0]["asked"].update(offset=0),
        {"asked"},
    ),
    "the results of two samples": (swap, {"told"}),
    "a metric of a batch in pieces": (metric, {"told"}),
    "metrics that are left out": (
        lambda report: calls(report, "forward_backward")[0]["told"]["metrics"].clear(),
        {"told"},
    ),
    "a pass that nobody asked for": (drop_pass, {"nothing-else"}),
    "a step before its pass": (step_first, {"order"}),
    "the words of an error": (
        lambda report: calls(report, "get_training_run")[-1]["error"].update(says="no"),
        {"refusals"},
    ),
}


@pytest.mark.parametrize("what", CHANGES)
def test_what_differs_is_seen_and_nothing_else(recorded: Traffic, what: str) -> None:
    change, rules = CHANGES[what]
    assert reported_otherwise(recorded, change) == rules


def test_fields_come_from_path_query_and_body() -> None:
    entry = {
        "operation": "set_checkpoint_ttl",
        "path": "/api/v1/training_runs/s%3Atrain%3A0/checkpoints/weights/kept/ttl",
        "query": {"extra": "2"},
        "request_body": {"ttl_seconds": 60},
    }
    found = fields_of(RecordedExchange(entry))
    asked = {"run_id": "s:train:0", "kind": "weights", "name": "kept", "extra": 2}
    assert difference({**asked, "ttl_seconds": 60}, found) == ""
    assert difference({"ttl_seconds": 61}, found) == "/ttl_seconds: 60 instead of 61"


@pytest.mark.parametrize(
    ("want", "got", "same"),
    [
        (0.1, 0.10000000149, True), (1e-8, 1e-12, False), (3e-4, 1e-4, False), (1, True, False),
        (None, None, True), ({"a": None}, {}, True), ([1, 2], [1], False), (True, "true", True),
        ("2026-01-01T00:00:00Z", "2026-01-01T01:00:00+01:00", True), ("a", "b", False),
    ],
)  # fmt: skip
def test_values_are_compared_as_they_travel(want: object, got: object, same: bool) -> None:
    assert (difference(want, got) == "") is same
