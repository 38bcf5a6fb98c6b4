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
from tinker_mock.suite.core.results import verdict_word


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


def test_a_cause_that_is_listed_may_be_told_by_another_check() -> None:
    found = results(a="fail", b="n/a")
    for row in found["verdicts"]:
        row["cause"] = "the server waits for nobody"
    assert apply_baseline(found, Baseline({"x/b": "known"})).known == ["x/a"]
    assert apply_baseline(found, Baseline(causes={"the server waits for nobody": "known"})).ok
    found["verdicts"][0]["cause"] = "something else"
    assert apply_baseline(found, Baseline({"x/b": "known"})).unlisted == ["x/a"]


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


def test_what_was_not_judged_needs_a_reason_to_be_slow() -> None:
    late = results(a="not_judged")
    late["verdicts"][0]["level"] = "MUST"
    hasty = apply_baseline(late, Baseline())
    hasty.mark(late)
    assert not hasty.ok
    assert verdict_word(late) == "not judged to the end"
    patient = apply_baseline(late, Baseline(slow="compiles each shape"))
    assert patient.ok
    assert "1 check(s) were not judged" in " ".join(patient.lines())
    late["verdicts"][0]["level"] = "SHOULD"
    assert apply_baseline(late, Baseline()).ok


def test_a_run_as_its_baseline_is_not_called_conformant() -> None:
    known, fine, moved = results(a="fail"), results(a="pass"), results(a="fail", b="fail")
    for found, failing in ((known, {"x/a": "why"}), (fine, {}), (moved, {"x/a": "why"})):
        apply_baseline(found, Baseline(failing)).mark(found)
    words = [verdict_word(found) for found in (known, fine, moved)]
    assert words == ["as the baseline", "conformant", "not conformant"]


def test_writing_keeps_reasons(tmp_path: Path) -> None:
    path = tmp_path / "baseline.yaml"
    path.write_text(baseline_text(results(a="fail", b="fail"), Baseline({"x/a": "because"})))
    read = read_baseline(path)
    assert read.failing == {"x/a": "because", "x/b": "told"}


@pytest.mark.parametrize(
    "text", ["failing: [x/a]", "failing: {x/a: ''}", "failing: {x/a: 3}", "]", "slow: ''"]
)
def test_a_bad_file_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "baseline.yaml"
    path.write_text(text)
    with pytest.raises(BaselineError, match="baseline"):
        read_baseline(path)
