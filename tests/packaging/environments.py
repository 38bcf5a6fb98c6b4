"""Environments as users have them, made without a network.

The project's wheel is installed in a fresh environment. What it requires, and not one package
more, is linked from the environment that runs the tests.
"""

import os
import subprocess
import sys
import venv
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.metadata import Distribution, PackageNotFoundError, PathDistribution, distribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[2]
PROJECT = "tinker-mock"


@dataclass(frozen=True)
class Environment:
    """An installed wheel and what it brought."""

    home: Path
    distributions: frozenset[str]

    @property
    def python(self) -> str:
        return str(self.home / "bin" / "python")

    @property
    def command(self) -> str:
        return str(self.home / "bin" / PROJECT)

    def run(
        self, *words: str, cwd: Path, timeout: float = 120, **variables: str
    ) -> subprocess.CompletedProcess[str]:
        """A program in a folder, without what the tests' own environment would tell it."""
        return subprocess.run(
            words,
            cwd=cwd,
            env=self.variables(**variables),
            capture_output=True,
            text=True,
            timeout=timeout,
        )

    def variables(self, **more: str) -> dict[str, str]:
        inherited = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "PYTEST"))}
        path = f"{self.home / 'bin'}{os.pathsep}{inherited['PATH']}"
        return {**inherited, "PATH": path, "VIRTUAL_ENV": str(self.home), **more}


def build(form: str, source: Path, directory: Path) -> Path:
    """The project's `wheel` or `sdist`, built from a source tree by its own backend."""
    command = [sys.executable, "-m", "hatchling", "build", "-t", form, "-d", str(directory)]
    done = subprocess.run(command, cwd=source, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    (built,) = directory.glob("*.whl" if form == "wheel" else "*.tar.gz")
    return built


def install(wheel: Path, home: Path, extras: str = "", also: Iterable[str] = ()) -> Environment:
    """A fresh environment with the wheel, its extras (`text,client`) and other distributions."""
    venv.create(home, symlinks=True)
    pip = [sys.executable, "-m", "pip", "--python", str(home / "bin" / "python"), "install"]
    options = ["--quiet", "--no-deps", "--no-index", "--disable-pip-version-check"]
    subprocess.run([*pip, *options, str(wheel)], check=True)
    (site,) = home.glob("lib/python*/site-packages")
    (metadata,) = site.glob("tinker_mock-*.dist-info")
    own = PathDistribution(metadata)
    needed = closure([f"{PROJECT}[{extras}]" if extras else PROJECT, *also], own)
    for found in needed.values():
        if found is not own:
            link(found, site)
    return Environment(home, frozenset(needed))


def closure(requirements: Iterable[str], own: Distribution) -> dict[str, Distribution]:
    """All that these requirements install, by normalised name; `own` is the project's wheel."""
    found: dict[str, Distribution] = {}
    waiting = [Requirement(text) for text in requirements]
    asked: set[tuple[str, str]] = set()
    while waiting:
        one = waiting.pop()
        name = one.name.lower().replace("_", "-")
        try:
            found[name] = own if name == PROJECT else distribution(name)
        except PackageNotFoundError:
            pytest.skip(f"{name} is not installed here: `make install` brings it")
        for extra in {"", *one.extras}:
            if (name, extra) not in asked:
                asked.add((name, extra))
                below = map(Requirement, found[name].requires or ())
                waiting += [
                    each
                    for each in below
                    if not each.marker or each.marker.evaluate({"extra": extra})
                ]
    return found


def link(found: Distribution, site: Path) -> None:
    """Show a distribution's files in another environment."""
    tops = {file.parts[0] for file in found.files or ()} - {"..", "__pycache__"}
    for top in tops:
        if not (site / top).exists():
            (site / top).symlink_to(str(found.locate_file(top)))
