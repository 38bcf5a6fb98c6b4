"""The forms of the matrix."""

import argparse
import json
from pathlib import Path

import pytest

from tinker_mock.suite.sdk import command
from tinker_mock.suite.sdk.matrix import BEGIN, END, Matrix, write_between_markers
from tinker_mock.suite.sdk.release_run import ABSENT, FAIL, PASS, ReleaseRun, StepResult

TEXTS = {"training/forward": "forward", "training/custom": "a custom loss", "cli/version": "v"}


def matrix(status: str = PASS, violations: list[str] | None = None) -> Matrix:
    old = ReleaseRun("0.7.0", steps={step: StepResult(PASS) for step in TEXTS}, exchanges=10)
    new = ReleaseRun("0.38.0", flags=True, exchanges=20, violations=violations or [])
    new.steps = {
        "training/forward": StepResult(status, "reason <b>"),
        "training/custom": StepResult(ABSENT, "no such method"),
        "cli/version": StepResult(PASS),
    }
    return Matrix([old, new], TEXTS)


def test_clean_only_without_failures_and_broken_exchanges() -> None:
    assert matrix().clean
    assert not matrix(FAIL).clean
    assert not matrix(violations=["training/forward: POST …"]).clean
    assert not Matrix([], TEXTS).clean


def test_a_step_that_did_not_run_is_a_failure() -> None:
    found = matrix()
    del found.runs[0].steps["cli/version"]
    assert found.result(found.runs[0], "cli/version").status == FAIL
    assert "0.7 cli/version: did not run" in list(found.failures())


def test_text_and_summary() -> None:
    lines = matrix(FAIL).as_text().splitlines()
    assert lines[0].split() == ["0.7", "0.38⚑"]
    assert lines[1].split() == ["training/forward", "✓", "✗"]
    assert lines[2].split() == ["training/custom", "✓", "–"]
    assert (
        matrix(FAIL)
        .summary()
        .startswith("2 releases, 3 steps: 4 passed, 1 failed, 1 not in the release; 30 exchanges")
    )


def test_markdown_counts_what_was_possible() -> None:
    found = matrix(FAIL)
    found.runs.append(ReleaseRun("0.38.0", steps=found.runs[1].steps))
    told = found.as_markdown()
    assert "| release | training | cli | flags on |" in told
    assert "| 0.7.0 | 2/2 | 1/1 | – |" in told
    assert "| 0.38.0 | 0/1 | 1/1 | 1/2 |" in told
    assert "| a custom loss | ✓ | – | – |" in told


def test_html_escapes_reasons_and_json_is_whole(tmp_path: Path) -> None:
    found = matrix(FAIL)
    found.save(tmp_path)
    page = (tmp_path / "audit.html").read_text()
    assert "reason &lt;b&gt;" in page
    assert "<b>" not in page
    document = json.loads((tmp_path / "audit.json").read_text())
    assert document["clean"] is False
    assert document["releases"][1]["steps"]["training/custom"]["reason"] == "no such method"
    assert (tmp_path / "audit.md").read_text().endswith("\n")


def test_only_what_is_between_the_markers_changes(tmp_path: Path) -> None:
    page = tmp_path / "README.md"
    page.write_text(f"before\n{BEGIN}\nold\n{END}\nafter\n")
    write_between_markers(page, "new")
    assert page.read_text() == f"before\n{BEGIN}\nnew\n{END}\nafter\n"
    page.write_text("no markers\n")
    with pytest.raises(ValueError, match="sdk-matrix:begin"):
        write_between_markers(page, "new")


def test_a_page_that_takes_no_matrix_is_said_before_the_audit(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(command, "audit", lambda *_: pytest.fail("the audit ran"))
    parser = argparse.ArgumentParser()
    command.add_arguments(parser)
    bare = tmp_path / "bare.md"
    bare.write_text("no markers\n")
    for page, reason in ((tmp_path / "none.md", "No such file"), (bare, "sdk-matrix:begin")):
        assert command.run(parser.parse_args(["0.38.0", "--page", str(page)])) == 2
        assert reason in capsys.readouterr().err
