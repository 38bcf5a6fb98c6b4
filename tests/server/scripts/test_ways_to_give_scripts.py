"""Scripts from a file, a marker, a function; what a reset leaves; a client that reads along."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.server.scripts.test_scripts_everywhere import chat
from tinker_mock.server.app import create_app
from tinker_mock.server.errors import ConfigurationError
from tinker_mock.server.serving.in_thread import RunningServer
from tinker_mock.server.settings import Settings

QWEN = "Qwen/Qwen3-8B"
EXAMPLE = Path(__file__).parents[3] / "mockserver/tinker_mock/server/scripts/examples"


def answering(prompt: str) -> str | None:
    return "From a function" if "France" in prompt else None


def said(server: RunningServer) -> str:
    return str(chat(server, QWEN)["message"]["content"])


@pytest.mark.tinker_mock(scripts=[{"pattern": "capital of France", "completion": "From a marker"}])
def test_from_a_marker(tinker_mock: RunningServer) -> None:
    assert said(tinker_mock) == "From a marker"
    added = tinker_mock.script(pattern="capital", completion="Added", model="Qwen/*")
    assert said(tinker_mock) == "Added"
    httpx.post(f"{tinker_mock.url}/_mock/reset", timeout=60).raise_for_status()
    assert said(tinker_mock) == "From a marker", "a reset brings back those of the start"
    (script,) = httpx.get(f"{tinker_mock.url}/_mock/scripts", timeout=60).json()["scripts"]
    assert (script["fired"], added.fired) == (1, 1)


@pytest.mark.tinker_mock(scripts=answering)
def test_from_a_function(tinker_mock: RunningServer) -> None:
    assert said(tinker_mock) == "From a function"


@pytest.mark.tinker_mock(scripts=EXAMPLE / "assistant.yaml")
def test_the_client_reads_along_without_a_tokenizer(
    tinker_mock: RunningServer, nothing_here: Path
) -> None:
    variables = {
        **os.environ,
        "TINKER_BASE_URL": tinker_mock.url,
        "TINKER_API_KEY": "tml-client",
        "HF_HUB_OFFLINE": "1",
    }
    command = [sys.executable, "-m", "tinker_mock.cli", "client", "sample", "--max-tokens", "10"]
    question = ["--prompt", "What is the capital of France?"]
    for model in (QWEN, "deepseek-ai/DeepSeek-V3.1"):
        done = subprocess.run(
            [*command, "--base-model", model, *question],
            env=variables,
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert "\nParis it is<" in done.stdout, done.stderr


@pytest.mark.parametrize(
    ("scripts", "words"),
    [
        ({"pattern": "x", "completion": "y", "model": "no/such"}, "unknown base model"),
        ({"pattern": "x", "completion": "y", "colour": "red"}, "unknown key"),
        ({"completion": "y"}, "nothing to look for"),
        ("missing.yaml", "No such file"),
    ],
)
def test_a_start_says_what_is_wrong(scripts: Any, words: str) -> None:
    with pytest.raises(ConfigurationError, match=words):
        create_app(Settings(scripts=scripts))


def test_a_file_names_the_line(tmp_path: Path) -> None:
    path = tmp_path / "answers.yaml"
    path.write_text("scripts:\n  - pattern: x\n    completion: y\n    order: random\n")
    with pytest.raises(ConfigurationError, match=r"answers\.yaml:4: scripts\[0\]\.order"):
        create_app(Settings(scripts=path))
