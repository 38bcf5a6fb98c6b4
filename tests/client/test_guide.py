"""The guide's examples run as they stand, against a mock."""

import inspect
import os
import re
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from tinker_mock import client
from tinker_mock.client import PRESETS, Preset
from tinker_mock.suite.mock_process import mock_server

GUIDE = Path(__file__).parents[2] / "docs" / "client"
PAGES = sorted(GUIDE.glob("*.md"))
EXAMPLE = re.compile(r"^```python\n(.*?)^```$", re.M | re.S)


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    url = os.environ.get("TINKER_MOCK_GUIDE_URL")
    if url:
        yield url
        return
    with mock_server(["--seed", "7", "--adapter-shapes", "compact"]) as started:
        yield started


@pytest.mark.parametrize(
    "page", [page for page in PAGES if EXAMPLE.search(page.read_text())], ids=lambda page: page.stem
)
def test_the_examples_of_a_page_run(
    page: Path, server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [name for name in os.environ if name.startswith(("TINKER_", "TINKEX_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("TINKER_BASE_URL", server)
    monkeypatch.setenv("TINKER_API_KEY", os.environ.get("TINKER_MOCK_GUIDE_KEY", "tml-guide"))
    namespace: dict[str, Any] = {"__name__": page.stem}
    for number, example in enumerate(EXAMPLE.findall(page.read_text()), 1):
        exec(compile(example, f"{page.name}, example {number}", "exec"), namespace)


def test_every_page_is_in_the_index_and_links_lead_somewhere() -> None:
    index = (GUIDE / "README.md").read_text()
    linked = set(re.findall(r"\]\(([\w-]+\.md)\)", index))
    assert linked == {page.name for page in PAGES} - {"README.md"}


def test_the_preset_table_shows_every_field_as_it_is() -> None:
    text = (GUIDE / "presets.md").read_text()
    rows = {
        row[0]: row[1:]
        for row in re.findall(r"^\| `(\w+)` \| (.*?) \| (.*?) \| (.*?) \| (.*?) \|", text, re.M)
    }
    assert rows.keys() == {field.name for field in fields(Preset)} - {"name"}
    for column, name in enumerate(("python-latest", "python-0.24", "python-0.7", "tinkex")):
        for field, shown in rows.items():
            value = getattr(PRESETS[name], field)
            assert shown[column] == _shown(value), (name, field)


def _shown(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, dict):
        return ", ".join(f"{one}: {' '.join(named)}" for one, named in value.items()) or "none"
    if value is None:
        return "none"
    if isinstance(value, tuple):
        return ", ".join(value) or "none"
    return f"{value:g}" if isinstance(value, float) else str(value)


def test_the_reference_has_every_public_name() -> None:
    listed = re.findall(r"^::: tinker_mock\.client\.(\w+)$", (GUIDE / "api.md").read_text(), re.M)
    assert sorted(listed) == sorted(client.__all__)


def test_signatures_are_shown_as_they_are_called() -> None:
    """No `self` of another class, no operation of the async client, no options of any name."""
    for cls in (client.ServiceClient, client.TrainingClient, client.SamplingClient):
        for name in (name for name in vars(cls) if not name.startswith("_")):
            method = getattr(cls, name)
            if not callable(method):
                continue
            signature = inspect.signature(method.__get__(object()))
            assert "self" not in signature.parameters, (cls, name)
            kinds = {one.kind for one in signature.parameters.values()}
            assert inspect.Parameter.VAR_KEYWORD not in kinds, (cls, name)
            assert inspect.Parameter.VAR_POSITIONAL not in kinds, (cls, name)
            assert not str(signature.return_annotation).startswith("Operation"), (cls, name)
