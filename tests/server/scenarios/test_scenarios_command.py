"""`tinker-mock scenarios` lists, shows and checks."""

from pathlib import Path

import pytest

from tinker_mock.cli import main
from tinker_mock.server.scenarios.scenario import scenario_names


def test_it_lists_what_ships(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["scenarios"]) == 0
    rows = capsys.readouterr().out.splitlines()
    assert [row.split()[0] for row in rows] == scenario_names()


def test_it_shows_a_page(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["scenarios", "rate-limited"]) == 0
    assert capsys.readouterr().out.startswith("# rate-limited\n")


def test_it_checks_a_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    mine = tmp_path / "mine.yaml"
    mine.write_text("rules:\n  - effects: drop\n")
    assert main(["scenarios", str(mine)]) == 0
    assert capsys.readouterr().out == "mine: 1 rules, sound\n"
    mine.write_text("rules:\n  - effects: drop\n    colour: blue\n")
    assert main(["scenarios", str(mine)]) == 2
    assert "mine.yaml:3: rules[0].colour: unknown key" in capsys.readouterr().err
    assert main(["scenarios", "absent"]) == 2
