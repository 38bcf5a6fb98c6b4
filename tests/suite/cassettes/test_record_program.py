"""`record -- COMMAND`: any program's traffic becomes a cassette, from a mock or a real server."""

import sys
from pathlib import Path

import pytest

from tinker_mock.cli import main
from tinker_mock.suite.cassettes.cassette import read_cassette
from tinker_mock.suite.mock_process import mock_server

PROGRAM = """
import os, httpx
with httpx.Client(
    base_url=os.environ["TINKER_BASE_URL"], headers={"X-API-Key": os.environ["TINKER_API_KEY"]}
) as http:
    body = {"tags": [], "user_metadata": None, "sdk_version": "0.38.0"}
    made = http.post("/api/v1/create_session", json=body).raise_for_status().json()
    http.get("/api/v1/sessions/" + made["session_id"]).raise_for_status()
"""


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    monkeypatch.setenv("TINKER_API_KEY", "tml-a-secret-of-mine")
    script = tmp_path / "program.py"
    script.write_text(PROGRAM)
    return [sys.executable, str(script)]


def test_a_program_is_recorded_and_replayed(program: list[str], tmp_path: Path) -> None:
    cassette = tmp_path / "mine.yaml"
    assert main(["record", "--output", str(cassette), "--", *program]) == 0

    recorded = read_cassette(cassette)
    assert [one.operation.partition("/")[0] for one in recorded.interactions] == [
        "create_session",
        "sessions",
    ]
    assert "a-secret-of-mine" not in cassette.read_text()
    with mock_server() as url:
        assert main(["replay", "--target", url, str(cassette)]) == 0
    assert main(["replay", str(cassette)]) == 1


def test_a_real_server_is_recorded_through_the_proxy(program: list[str], tmp_path: Path) -> None:
    cassette = tmp_path / "theirs.yaml"
    with mock_server() as url:
        assert main(["record", "--upstream", url, "--output", str(cassette), "--", *program]) == 0
    recorded = read_cassette(cassette)
    assert recorded.provenance["server"] == url
    assert [one.status for one in recorded.interactions] == [200, 200]


def test_a_failed_program_leaves_nothing(tmp_path: Path) -> None:
    cassette = tmp_path / "none.yaml"
    command = [sys.executable, "-c", "raise SystemExit(3)"]
    assert main(["record", "--output", str(cassette), "--", *command]) == 1
    assert not cassette.exists()
