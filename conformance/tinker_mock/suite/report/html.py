"""One self-contained HTML page: readable on a phone, filterable, with wire traces."""

import json
from collections.abc import Mapping
from importlib.resources import files
from typing import Any


def page(results: Mapping[str, Any]) -> str:
    """The page of a run. The data is inside; nothing is fetched."""
    return filled("page.html", results)


def filled(template: str, data: Any) -> str:
    """A template with data; `</` cannot end the script element early."""
    text = (files("tinker_mock.suite.report") / template).read_text("utf-8")
    encoded = json.dumps(data, ensure_ascii=False, separators=(",", ":")).replace("</", "<\\/")
    return text.replace("{{data}}", encoded)
