"""The provider chapter: a good provider passes, each quirky one fails where it should."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest

from tinker_mock.cli import main
from tinker_mock.contracts.ledger import requirement_of
from tinker_mock.server.serving.in_thread import RunningServer
from tinker_mock.server.settings import Settings
from tinker_mock.suite.core.verdict import Status
from tinker_mock.suite.providers.judge import Judge, load_requests
from tinker_mock.suite.providers.provider import Provider

MODEL = "moonshotai/Kimi-K2.6"
RULES = {check: rule for check, rule in requirement_of().items() if rule.chapter == "kimi"}


@pytest.fixture(scope="module")
def server() -> Iterator[RunningServer]:
    with RunningServer(Settings(port=0)) as running:
        yield running


def judged(server: RunningServer, effect: str | None = None) -> Judge:
    provider = Provider(f"{server.url}/oai/api/v1", MODEL, "tml-provider")
    if effect:
        provider.http.headers["x-tinker-mock-effect"] = effect
    judge = Judge(provider, RULES)
    rows = load_requests()
    judge.answers([row for row in rows if row.get("short")])
    judge.conversation(rows)
    judge.forced(rows)
    judge.cut(rows)
    provider.close()
    return judge


def failed(judge: Judge) -> set[str]:
    assert not [v for v in judge.verdicts if v.status is Status.ERROR]
    return {v.check for v in judge.verdicts if v.status is not Status.PASS}


def test_a_good_provider_passes_everything(server: RunningServer) -> None:
    judge = judged(server)
    assert failed(judge) == set()
    assert {verdict.check for verdict in judge.verdicts} == set(RULES)
    assert judge.numbers["tool_call_f1"] == judge.numbers["schema_accuracy"] == 1.0


QUIRKS: dict[str, set[str]] = {
    "kimi-raw-markers": {"kimi/trigger/f1", "kimi/markers/content", "kimi/loop/calls"},
    "kimi-reasoning-markers": {"kimi/markers/reasoning", "kimi/loop/calls"},
    "kimi-bare-ids": {"kimi/ids/form", "kimi/ids/counter"},
    "kimi-foreign-ids": {"kimi/ids/form", "kimi/ids/counter"},
    "kimi-wrong-finish": {"kimi/trigger/f1", "kimi/finish/with-calls"},
    "kimi-split-deltas": {"kimi/stream/fragments"},
    "kimi-json-lines": {"kimi/stream/events", "kimi/stream/done", "kimi/stream/same"},
    "kimi-truncated-calls": {"kimi/trigger/f1", "kimi/markers/content"},
}


@pytest.mark.parametrize("effect", QUIRKS)
def test_each_careless_provider_fails_where_it_should(server: RunningServer, effect: str) -> None:
    assert failed(judged(server, effect)) >= QUIRKS[effect]


def test_a_provider_that_is_down_fails_and_is_no_error_of_ours(server: RunningServer) -> None:
    judge = judged(server, "return-503")
    assert "kimi/trigger/f1" in failed(judge)
    assert judge.numbers["failure_count"] == len([r for r in load_requests() if r.get("short")]) * 2


def test_the_command_prints_the_numbers_and_writes_results(
    server: RunningServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    address = ["--base-url", f"{server.url}/oai/api/v1", "--model", MODEL]
    code = main(["conformance", "provider", *address, "--report", str(tmp_path), "--quiet"])
    assert code == 0
    results = json.loads((tmp_path / "results.json").read_text())
    assert results["target"]["kind"] == "provider"
    assert len(results["verdicts"]) == len(RULES)
    assert results["coverage"]["metrics"]["schema_accuracy"] >= 0.95
    assert "conformant" in capsys.readouterr().out


def test_the_request_file_is_sound() -> None:
    rows = load_requests()
    assert len({row["name"] for row in rows}) == len(rows) >= 24
    assert {row["official"] for row in rows} == {"tool_calls", "stop"}
    for row in rows:
        for tool in row["request"]["tools"]:
            schema: Any = tool["function"]["parameters"]
            jsonschema_rs.validator_for(schema)
