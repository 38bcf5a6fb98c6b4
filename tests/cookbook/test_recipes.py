"""Recipes of tinker-cookbook run unmodified: the three fastest here, all by `make cookbook`."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PYTHON = ROOT / ".venv-cookbook" / "bin" / "python"


@pytest.mark.skipif(
    not (PYTHON.parent.parent / ".installed").exists(),
    reason="tinker-cookbook is not installed: run `make cookbook RUNS=fast` once (1.6 GB)",
)
def test_the_three_fastest_runs() -> None:
    cook = Path(__file__).with_name("cook.py")
    done = subprocess.run(
        [sys.executable, str(cook), "--python", str(PYTHON), "--runs", "fast"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=400,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
