"""Reports: derived from one results document, well formed, readable in a browser."""

import copy
import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from tinker_mock.cli import main
from tinker_mock.suite.commands.compare import compare
from tinker_mock.suite.commands.matrix import matrix
from tinker_mock.suite.core.results import ResultsError, read_results
from tinker_mock.suite.report.junit import junit
from tinker_mock.suite.report.write import filled, page, write_reports

NASTY = "</script><b>bold</b>\x00 & \"quoted\" 'text' ünïcode"


@pytest.fixture
def results(healthy_results: dict[str, Any]) -> dict[str, Any]:
    broken = copy.deepcopy(healthy_results)
    row = next(row for row in broken["verdicts"] if row["check"] == "futures/unknown/404")
    row |= {"status": "fail", "message": NASTY, "expected": "404", "actual": NASTY}
    row["curl"] = "curl -sS http://127.0.0.1/x"
    row["trace"] = [
        {"t_ms": 1.0, "took_ms": 2.0, "request": "POST /x", "request_headers": {"a": "b"},
         "request_body": NASTY, "status": 200, "response_headers": {}, "response_body": NASTY}
    ]  # fmt: skip
    broken["summary"]["fail"] += 1
    broken["summary"]["pass"] -= 1
    broken["conformant"] = False
    broken["curves"] = {"loss": [3.0, 2.0, 1.5, 1.2]}
    return broken


def test_results_read_back(tmp_path: Path, results: dict[str, Any]) -> None:
    write_reports(results, tmp_path)
    assert read_results(tmp_path / "results.json") == results
    (tmp_path / "results.json").write_text('{"format": "else"}')
    with pytest.raises(ResultsError, match="results"):
        read_results(tmp_path / "results.json")


def test_junit_counts(results: dict[str, Any]) -> None:
    root = ElementTree.fromstring(junit(results).encode())
    suites = {suite.get("name"): suite for suite in root}
    assert suites["futures"].get("failures") == "1"
    assert len(root.findall(".//failure")) == 1
    assert len(root.findall(".//testcase")) == len(results["verdicts"])


def test_the_page_is_one_file(results: dict[str, Any]) -> None:
    text = page(results)
    assert not re.search(r'(src|href)="(?!data:)', text)
    data = re.search(r'id="data">(.*?)</script>', text, re.S)
    assert data
    assert json.loads(data[1].replace("<\\/", "</")) == results


def test_badge_and_markdown(tmp_path: Path, results: dict[str, Any]) -> None:
    write_reports(results, tmp_path)
    ElementTree.fromstring((tmp_path / "badge.svg").read_text())
    text = (tmp_path / "report.md").read_text()
    assert "not conformant" in text
    assert "futures/unknown/404" in text


def test_compare(results: dict[str, Any], healthy_results: dict[str, Any]) -> None:
    found = compare(healthy_results, results)
    assert found["worse"] == ["futures/unknown/404: pass → fail"]
    assert compare(results, healthy_results)["better"]
    assert not any(compare(results, results).values())


def test_compare_and_matrix_commands(
    tmp_path: Path, results: dict[str, Any], healthy_results: dict[str, Any]
) -> None:
    write_reports(healthy_results, tmp_path / "a")
    write_reports(results, tmp_path / "b")
    paths = [str(tmp_path / name / "results.json") for name in "ab"]
    assert main(["conformance", "compare", *paths]) == 1
    assert main(["conformance", "compare", paths[0], paths[0]]) == 0
    assert main(["conformance", "compare", paths[0], str(tmp_path)]) == 2
    output = tmp_path / "matrix.html"
    assert main(["conformance", "matrix", *paths, "--output", str(output)]) == 0
    assert matrix([healthy_results, results])["checks"]["futures/unknown/404"]["status"] == [
        "pass", "fail",
    ]  # fmt: skip


def chromium() -> str:
    found = shutil.which("chromium") or shutil.which("chromium-browser")
    if not found:
        pytest.skip("no chromium here: install the Debian package chromium to look at the pages")
    return found


def browse(path: Path, *options: str) -> subprocess.CompletedProcess[str]:
    profile = path.parent / "profile"
    command = [
        chromium(), "--headless=new", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr",
        "--disable-dev-shm-usage", f"--user-data-dir={profile}", "--virtual-time-budget=2000",
        *options, path.as_uri(),
    ]  # fmt: skip
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)


@pytest.mark.parametrize("template", ["page", "matrix"])
def test_a_browser_shows_the_page(tmp_path: Path, results: dict[str, Any], template: str) -> None:
    path = tmp_path / "index.html"
    path.write_text(
        page(results) if template == "page" else filled("matrix.html", matrix([results]))
    )
    picture = tmp_path / "phone.png"
    browse(path, f"--screenshot={picture}", "--window-size=390,844")
    assert picture.stat().st_size > 10_000
    shown = browse(path, "--dump-dom")
    assert "CONSOLE" not in shown.stderr
    assert "futures/unknown/404" in shown.stdout
    assert "<b>bold</b>" not in re.sub(r"(?s)<script.*?</script>", "", shown.stdout)
