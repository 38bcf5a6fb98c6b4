"""Quirks: switched on by every road, described by their row, misspelt names answered."""

from pathlib import Path
from typing import Any

import httpx
import pytest

from tinker_mock.cli import main
from tinker_mock.contracts import load_contract
from tinker_mock.contracts.fidelity import load_differences, load_quirks
from tinker_mock.server.app import create_app
from tinker_mock.server.errors import ConfigurationError
from tinker_mock.server.quirks import Quirk
from tinker_mock.server.scenarios.scenario import read_scenario
from tinker_mock.server.serving.in_thread import RunningServer
from tinker_mock.server.settings import Settings
from tinker_mock.server.yaml_section import ScenarioError

MODEL = "Qwen/Qwen3-8B"
FORCED = {
    "model": MODEL,
    "messages": [{"role": "user", "content": "What is the weather in Bern?"}],
    "max_tokens": 64,
    "tools": [{"type": "function", "function": {"name": "get_weather", "parameters": {}}}],
    "tool_choice": "required",
}
SCENARIO = "name: mine\nquirks: [tools-ignored]\n"


def calls_tools(server: RunningServer) -> bool:
    """Whether a chat completion that must call a tool does so."""
    url = f"{server.url}/oai/api/v1/chat/completions"
    headers = {"Authorization": "Bearer tml-quirks"}
    answer = httpx.post(url, json=FORCED, headers=headers, timeout=60)
    assert answer.status_code == 200, answer.text
    return "tool_calls" in answer.json()["choices"][0]["message"]


def control(server: RunningServer, operation_id: str, body: Any = None) -> httpx.Response:
    operation = load_contract("control").operations[operation_id]
    answer = httpx.request(operation.method, server.url + operation.path, json=body, timeout=60)
    if answer.content:
        assert operation.check_response(answer.status_code, answer.json()) == []
    return answer


def test_every_quirk_has_its_row_and_every_row_its_quirk() -> None:
    assert set(Quirk) == set(load_quirks())


def test_rows_come_newest_first() -> None:
    for rows in (load_quirks(), load_differences()):
        decided = [row.decided for row in rows.values()]
        assert decided == sorted(decided, reverse=True)


def test_without_the_quirk_tools_are_called(tinker_mock: RunningServer) -> None:
    assert calls_tools(tinker_mock)


@pytest.mark.tinker_mock(quirks=["tools-ignored"])
def test_a_setting_switches_a_quirk_on(tinker_mock: RunningServer) -> None:
    assert not calls_tools(tinker_mock)
    assert control(tinker_mock, "get_state").json()["quirks"] == ["tools-ignored"]


def test_the_control_api_switches_and_reset_goes_back(tinker_mock: RunningServer) -> None:
    told = control(tinker_mock, "put_quirks", {"quirks": ["tools-ignored"]}).json()
    assert told["quirks"]["tools-ignored"]["on"]
    assert not calls_tools(tinker_mock)
    control(tinker_mock, "reset")
    assert calls_tools(tinker_mock)
    assert not control(tinker_mock, "list_quirks").json()["quirks"]["tools-ignored"]["on"]


def test_a_snapshot_keeps_the_quirks(tinker_mock: RunningServer) -> None:
    control(tinker_mock, "put_quirks", {"quirks": ["tools-ignored"]})
    taken = control(tinker_mock, "take_snapshot").json()["id"]
    control(tinker_mock, "put_quirks", {"quirks": []})
    httpx.post(f"{tinker_mock.url}/_mock/snapshots/{taken}/restore").raise_for_status()
    assert not calls_tools(tinker_mock)


def test_a_scenario_has_its_quirks_while_it_is_on(tinker_mock: RunningServer) -> None:
    control(tinker_mock, "put_scenario", {"yaml": SCENARIO})
    assert not calls_tools(tinker_mock)
    control(tinker_mock, "put_scenario", {"name": "healthy"})
    assert calls_tools(tinker_mock)


def test_a_server_started_with_a_scenario_has_its_quirks(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text(SCENARIO)
    with RunningServer(Settings(port=0, scenario=str(file))) as server:
        assert not calls_tools(server)


def test_a_misspelt_name_has_the_nearest(
    tinker_mock: RunningServer, capsys: pytest.CaptureFixture[str]
) -> None:
    near = "did you mean tools-ignored?"
    with pytest.raises(ConfigurationError, match=near):
        create_app(Settings(quirks=["tool-ignored"]))
    with pytest.raises(ScenarioError, match=rf"mine.yaml:2: quirks: .*{near}"):
        read_scenario("name: mine\nquirks: tool-ignored\n", "mine.yaml", [])
    refused = control(tinker_mock, "put_quirks", {"quirks": ["tool-ignored"]})
    assert refused.status_code == 422
    assert near.rstrip("?") in refused.json()["detail"]
    assert main(["explain", "quirk", "tool-ignored"]) == 2
    assert near in capsys.readouterr().err
    assert main(["serve", "--port", "0", "--quirk", "tool-ignored"]) == 2
    assert near in capsys.readouterr().err


def test_explain_tells_the_row(capsys: pytest.CaptureFixture[str]) -> None:
    row = load_quirks()["tools-ignored"]
    assert main(["explain", "quirk", "tools-ignored"]) == 0
    told = " ".join(capsys.readouterr().out.split())
    for text in (row.sentence, row.default, row.reason, "serve --quirk tools-ignored"):
        assert text in told
    for witness in (*row.for_quirk, *row.for_default):
        assert witness.source in told
        assert witness.date in told


def test_explain_lists_all_without_a_name(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", "quirk"]) == 0
    told = capsys.readouterr().out
    assert all(f"{name} " in told for name in load_quirks())
