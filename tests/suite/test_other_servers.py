"""The baselines of other people's servers, and the page that tells the cause of each finding."""

import re
from pathlib import Path

import pytest

from tinker_mock.contracts.ledger import requirement_of
from tinker_mock.suite.core.baseline import read_baseline

FOLDER = Path(__file__).parents[2] / "conformance" / "baselines"
BASELINES = sorted(FOLDER.glob("*.yaml"))


def section(name: str) -> str:
    """What the page says of one server."""
    page = (FOLDER / "findings.md").read_text("utf-8")
    parts = re.split(r"^## ", page, flags=re.MULTILINE)
    (found,) = [part for part in parts if part.splitlines()[0].lower().replace(" ", "-") == name]
    return found


@pytest.mark.parametrize("path", BASELINES, ids=lambda path: path.stem)
def test_each_known_failure_has_a_check_and_its_cause_on_the_page(path: Path) -> None:
    baseline, told = read_baseline(path), section(path.stem)
    for check, reason in {**baseline.failing, **baseline.flaky}.items():
        assert check in requirement_of(), check
        rows = [row for row in told.splitlines() if f"`{check}`" in row]
        assert len(rows) == 1, check
        cause, where = reason.rsplit(" (", 1)
        assert f"| {cause} | {where.rstrip(')')} |" in rows[0], check


@pytest.mark.parametrize("path", BASELINES, ids=lambda path: path.stem)
def test_no_check_is_told_twice(path: Path) -> None:
    checks = re.findall(r"`([a-z0-9-]+(?:/[A-Za-z0-9_.-]+)+)`", section(path.stem))
    assert len(checks) == len(set(checks))
