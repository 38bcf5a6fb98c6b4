"""Every report of a run, in one directory."""

import json
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any

from tinker_mock.suite.core.results import write_results
from tinker_mock.suite.report.badge import badge
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


def page(results: Mapping[str, Any]) -> str:
    """The page of a run. The data is inside; nothing is fetched."""
    return filled("page.html", results)


def filled(template: str, data: Any) -> str:
    """A template with data; `</` cannot end the script element early."""
    text = (files("tinker_mock.suite.report") / template).read_text("utf-8")
    encoded = json.dumps(data, ensure_ascii=False, separators=(",", ":")).replace("</", "<\\/")
    return text.replace("{{data}}", encoded)
