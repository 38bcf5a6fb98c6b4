"""Each example runs and prints what its page shows."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from tinker_mock.contracts.locations import EXAMPLES
from tinker_mock.suite.sdk.environment import process

SDK = "0.38.0"
BLOCK = re.compile(r"^```console\n\$ (?P<command>[^\n]+)\n(?P<output>.*?)\n```$", re.DOTALL | re.M)
SHOWN = {
    Path(match["command"].split()[-1]).stem: match
    for match in BLOCK.finditer((EXAMPLES / "README.md").read_text(encoding="utf-8"))
}
PROGRAMS = sorted(path.stem for path in EXAMPLES.glob("*.py"))


@pytest.fixture
def variables(tmp_path: Path) -> dict[str, str]:
    """A machine without tokenizers of its own: what is printed depends on nothing but the seed."""
    places = ("TINKER_MOCK_TOKENIZERS", "TINKER_MOCK_CACHE", "HF_HOME")
    return {**os.environ, **{name: str(tmp_path / name) for name in places}}


def test_every_example_is_shown() -> None:
    assert sorted(SHOWN) == PROGRAMS


@pytest.mark.parametrize("name", [name for name in PROGRAMS if not name.startswith("test_")])
def test_it_prints_what_its_page_shows(name: str, variables: dict[str, str]) -> None:
    program = EXAMPLES / f"{name}.py"
    python = sys.executable
    if "import tinker\n" in program.read_text(encoding="utf-8"):
        python, extra = process(SDK, TINKER_TELEMETRY="0")
        variables = {**extra, **variables, "PYTHONPATH": extra["PYTHONPATH"]}
    options, _ = SHOWN[name]["command"].removeprefix("tinker-mock run ").split(" -- ")
    command = [sys.executable, "-m", "tinker_mock.cli", "run", *shlex.split(options), "--"]
    done = subprocess.run(
        [*command, python, str(program)],
        env=variables,
        capture_output=True,
        encoding="utf-8",
        timeout=300,
    )
    # Newer SDKs sometimes abort after a program's last line: the verdict is what was printed.
    assert done.stdout.rstrip() == SHOWN[name]["output"], done.stderr[-2000:]


def test_the_pytest_example_passes(variables: dict[str, str]) -> None:
    command = [sys.executable, "-m", "pytest", "-q", "-n0", str(EXAMPLES / "test_training_loop.py")]
    done = subprocess.run(command, env=variables, capture_output=True, text=True, timeout=300)
    assert "2 passed" in done.stdout, done.stdout


@pytest.mark.parametrize("name", PROGRAMS)
def test_an_example_is_short(name: str) -> None:
    lines = (EXAMPLES / f"{name}.py").read_text(encoding="utf-8").splitlines()
    assert len(lines) <= 50


def test_the_command_lists_and_prints_them() -> None:
    command = [sys.executable, "-m", "tinker_mock.cli", "examples"]
    listed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert [line.split()[0] for line in listed.splitlines()] == PROGRAMS
    printed = subprocess.run([*command, "supervised"], capture_output=True, text=True, check=True)
    assert printed.stdout == (EXAMPLES / "supervised.py").read_text(encoding="utf-8")
    slip = subprocess.run([*command, "supervized"], capture_output=True, text=True)
    assert (slip.returncode, slip.stderr.strip()) == (
        2, "tinker-mock examples: no example 'supervized'; did you mean supervised?"
    )  # fmt: skip
