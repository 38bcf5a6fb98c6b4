"""Baselines: four outcomes a check, two of them wrong."""

from pathlib import Path
from typing import Any

import pytest

from tinker_mock.suite.core.baseline import (
    Baseline,
    BaselineError,
    apply_baseline,
    baseline_text,
    read_baseline,
)


def results(**statuses: str) -> dict[str, Any]:
    rows = [
        {"check": f"x/{name}", "status": status.replace("_", "-"), "message": "told"}
        for name, status in statuses.items()
    ]
    return {"target": {"name": "t"}, "verdicts": rows}


def test_the_four_outcomes() -> None:
    found = results(a="fail", b="fail", c="pass", d="pass")
    judged = apply_baseline(found, Baseline({"x/a": "known", "x/c": "was known"}))
    assert judged.known == ["x/a"]
    assert judged.unlisted == ["x/b"]
    assert judged.stale == ["x/c"]
    assert judged.passed == 1
    assert not judged.ok


def test_a_listed_failure_is_fine() -> None:
    assert apply_baseline(results(a="not_testable"), Baseline({"x/a": "why"})).ok


def test_flaky_checks_may_do_either() -> None:
    baseline = Baseline(flaky={"x/a": "network"})
    assert apply_baseline(results(a="fail"), baseline).ok
    assert apply_baseline(results(a="pass"), baseline).ok


def test_an_entry_without_a_check_is_found_in_whole_runs_only() -> None:
    baseline = Baseline({"x/gone": "why"})
    assert not apply_baseline(results(a="pass"), baseline).ok
    assert apply_baseline(results(a="pass"), baseline, whole=False).ok


def test_warnings_count_only_when_strict() -> None:
    assert apply_baseline(results(a="warn"), Baseline()).ok
    assert not apply_baseline(results(a="warn"), Baseline(), strict=True).ok


def test_writing_keeps_reasons(tmp_path: Path) -> None:
    path = tmp_path / "baseline.yaml"
    path.write_text(baseline_text(results(a="fail", b="fail"), Baseline({"x/a": "because"})))
    read = read_baseline(path)
    assert read.failing == {"x/a": "because", "x/b": "told"}


@pytest.mark.parametrize("text", ["failing: [x/a]", "failing: {x/a: ''}", "failing: {x/a: 3}", "]"])
def test_a_bad_file_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "baseline.yaml"
    path.write_text(text)
    with pytest.raises(BaselineError, match="baseline"):
        read_baseline(path)
