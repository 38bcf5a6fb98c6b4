"""Every report of a run, in one directory."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tinker_mock.suite.core.results import write_results
from tinker_mock.suite.report.badge import badge
from tinker_mock.suite.report.html import page
from tinker_mock.suite.report.junit import junit
from tinker_mock.suite.report.markdown import markdown


def write_reports(results: Mapping[str, Any], folder: Path) -> None:
    """Write results.json and what is derived from it."""
    folder.mkdir(parents=True, exist_ok=True)
    write_results(results, folder / "results.json")
    (folder / "index.html").write_text(page(results), "utf-8")
    (folder / "junit.xml").write_text(junit(results), "utf-8")
    (folder / "badge.svg").write_text(badge(results), "utf-8")
    (folder / "report.md").write_text(markdown(results), "utf-8")
