"""The manual target for other servers, tried on the mock."""

import os
import subprocess
import sys
from pathlib import Path

from tinker_mock.suite.mock_process import mock_server

SCRIPT = Path(__file__).with_name("core_loop.py")


def loop(url: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """The script against a server."""
    environment = {**os.environ, "TINKER_BASE_URL": url, "TINKER_API_KEY": "tml-loop"}
    command = [sys.executable, str(SCRIPT), "--patience", "60", *arguments]
    return subprocess.run(
        command, env=environment, capture_output=True, text=True, timeout=300, check=False
    )


def test_every_step_works_on_the_mock_and_a_server_that_lacks_one_is_told_so() -> None:
    with mock_server(["--long-poll", "1"]) as url:
        whole = loop(url)
        older = loop(url, "--set", "restore_operation=create_then_load")
        lost = loop(url, "--model", "nobody/no-such-model")
    assert whole.returncode == 0, whole.stdout + whole.stderr
    assert whole.stdout.count("ok    ") == 13
    assert older.returncode == 0, older.stdout + older.stderr
    assert lost.returncode == 1
    assert "FAIL  create_model" in lost.stdout
    assert "FAIL  optim_step: skipped: an earlier step failed" in lost.stdout
