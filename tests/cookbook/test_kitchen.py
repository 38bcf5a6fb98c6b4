"""The cookbook harness itself: repeatable data, and verdicts that can be bad."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def kitchen_path(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.syspath_prepend(str(Path(__file__).parent))
    yield
    for name in ("data", "runs", "workspace", "cook", "lessons"):
        sys.modules.pop(name, None)


def files(folder: Path) -> dict[str, bytes]:
    found = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in found}


def test_the_same_data_every_time(tmp_path: Path) -> None:
    import data

    data.make(tmp_path / "first")
    data.make(tmp_path / "second")
    first = files(tmp_path / "first")
    assert first == files(tmp_path / "second")
    assert len(first) == 7


def test_verdicts(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    import cook
    import runs
    from workspace import Workspace

    kitchen = runs.Kitchen(
        Workspace(tmp_path, Path(sys.executable), tmp_path, False), "http://none"
    )
    rising = [{"loss": 1.0}, {"loss": 2.0}]
    monkeypatch.setitem(cook.RUNS, "rises", lambda _: runs.falls(runs.column(rising, "loss"), "l"))
    monkeypatch.setitem(cook.RUNS, "missing", lambda _: str(runs.column(rising, "reward")))
    monkeypatch.setitem(cook.RUNS, "crashes", lambda k: k.python("-c", "raise SystemExit('no')"))
    monkeypatch.setitem(cook.RUNS, "hangs", lambda k: k.python("-c", "input()", timeout=0.0))
    verdicts = {name: cook._run(name, kitchen) for name in ("rises", "missing", "crashes", "hangs")}
    assert {name: row["verdict"] for name, row in verdicts.items()} == dict.fromkeys(
        verdicts, "wrong"
    )
    assert "does not fall" in str(verdicts["rises"]["told"])
    assert "no metric 'reward'" in str(verdicts["missing"]["told"])


def test_unknown_runs_are_named() -> None:
    import cook

    assert cook.chosen("fast") == list(cook.FAST)
    with pytest.raises(SystemExit, match="unknown runs"):
        cook.chosen("chat_sl,tea")


def test_a_lesson_that_was_not_learnt_is_wrong() -> None:
    import lessons
    import runs

    learnt = {"losses": [9.0, 0.04], "right": [True, True]}
    assert (
        lessons.learnt(learnt, "answers")
        == "loss per token 9.00 to 0.040 in 2 steps; 2 of 2 answers"
    )
    for wrong in ({**learnt, "losses": [9.0, 0.2]}, {**learnt, "right": [True, False]}):
        with pytest.raises(runs.Wrong):
            lessons.learnt(wrong, "answers")
    assert lessons.rose([[0.0, 0.25], [1.0, 1.0]]).startswith("reward [0.0, 0.25] to [1.0, 1.0]")
    for told in ([[0.0, 0.0], [1.0, 0.5]], [[0.0, 0.5], [1.0, 1.0]]):
        with pytest.raises(runs.Wrong):
            lessons.rose(told)
