"""The official clients do what the page says; the others run by `make text-clients`."""

import os
import re
import shutil
import sys
from pathlib import Path

import pytest

from tests.clients_matrix.page import PAGE, ROOT, npm_outcomes, outcomes

NPM = Path(os.environ.get("TEXT_CLIENTS_NPM") or ROOT / ".venv-text-clients" / "npm")


def test_the_official_clients_do_what_the_page_says() -> None:
    found = outcomes(sys.executable, "openai", "anthropic")
    assert set(found) == {"openai", "anthropic"}
    for client, one in found.items():
        failed = {name for name, said in one["features"].items() if said != "works"}
        assert failed == ({"Responses API"} if client == "openai" else set()), one


@pytest.mark.skipif(
    shutil.which("node") is None or not (NPM / "node_modules").is_dir(),
    reason="npm's clients are not installed: run `make text-clients` once, or set TEXT_CLIENTS_NPM "
    "to a folder that has tests/clients_matrix/package.json installed",
)
def test_npms_clients_do_what_the_page_says() -> None:
    found = npm_outcomes(NPM)
    assert {"openai (npm)", "@anthropic-ai/sdk", "ai + openai-compatible"} <= set(found)
    for client, one in found.items():
        failed = {name for name, said in one["features"].items() if said != "works"}
        assert failed <= {"Responses API"}, (client, one)


def test_the_page_has_every_client() -> None:
    rows = re.findall(r"^\| (.+?) \d", PAGE.read_text("utf-8"), re.MULTILINE)
    python = {"openai", "anthropic", "litellm", "langchain-openai", "pydantic-ai", "instructor"}
    assert python | {"openai (npm)", "@anthropic-ai/sdk", "ai + openai-compatible"} <= set(rows)
