"""litellm in an environment of its own (`make litellm`), against the mock on a socket."""

import os
import subprocess
from pathlib import Path

import pytest

from tinker_mock.server.serving.in_thread import RunningServer

ROOT = Path(__file__).parents[3]
PYTHON = ROOT / ".venv-litellm" / "bin" / "python"
SCRIPT = Path(__file__).with_name("litellm_script.py")


def test_litellms_openai_route_works(text_mock: RunningServer) -> None:
    if not PYTHON.exists():
        pytest.skip("litellm is not installed: run `make litellm`")
    environment = {**os.environ, "LITELLM_LOCAL_MODEL_COST_MAP": "True"}
    done = subprocess.run(
        [PYTHON, SCRIPT, text_mock.url], capture_output=True, text=True, env=environment
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert "litellm ok" in done.stdout
