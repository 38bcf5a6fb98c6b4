"""The documentation site: built strictly, with everything in it that it says it has."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.test_docs import ROOT, pages
from tinker_mock.cli.commands import COMMANDS
from tinker_mock.contracts import load_contract


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("mkdocs", reason="the site's tools are in the extra docs")
    folder = tmp_path_factory.mktemp("site")
    built = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)],
        cwd=ROOT,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert built.returncode == 0, built.stderr
    return folder


def test_every_page_is_there(site: Path) -> None:
    for page in pages():
        name = page.relative_to(ROOT)
        if name.parts[0] == ".github":
            continue
        place = name.parent if name.name == "README.md" else name.with_suffix("")
        assert (site / place / "index.html").exists(), name


def test_every_command_is_in_the_reference(site: Path) -> None:
    text = (site / "reference" / "command-line" / "index.html").read_text("utf-8")
    for command in COMMANDS:
        assert f"usage: tinker-mock {command} " in text


@pytest.mark.parametrize("name", ["tinker", "inference", "control"])
def test_every_operation_and_schema_is_in_the_reference(site: Path, name: str) -> None:
    text = (site / "reference" / name / "index.html").read_text("utf-8")
    contract = load_contract(name)
    for operation in contract.operations:
        assert f'<h3 id="{operation}">' in text
    for schema in contract.document["components"]["schemas"]:
        assert f'<h3 id="schema-{schema}">' in text


def test_the_python_reference_has_signatures_and_docstrings(site: Path) -> None:
    text = (site / "docs" / "python-api" / "index.html").read_text("utf-8")
    assert 'id="tinker_mock.client.ServiceClient"' in text
    assert "The newest call. Raises LookupError, with what was called instead." in text


def test_search_finds_fields_and_sentences(site: Path) -> None:
    index = json.loads((site / "search" / "search_index.json").read_text("utf-8"))
    words = " ".join(entry["text"] for entry in index["docs"])
    assert "max_tokens" in words
    assert "a check that cannot fail proves nothing" in " ".join(words.split())


def test_diagrams_are_drawn_and_nothing_comes_from_another_host(site: Path) -> None:
    drawn = (site / "docs" / "architecture" / "index.html").read_text("utf-8")
    source = (ROOT / "docs" / "architecture.md").read_text("utf-8")
    names = re.findall(r'<svg id="(diagram-\w+)"', drawn)
    assert len(set(names)) == source.count("```mermaid") > 0
    fetched = re.compile(r'<(?:script|img|iframe)[^>]* src="(\w+:)?//|<link[^>]* href="(\w+:)?//')
    for page in site.rglob("*.html"):
        text = page.read_text("utf-8")
        assert 'class="mermaid"' not in text, page
        assert [found[0] for found in fetched.finditer(text) if "canonical" not in found[0]] == []
