import os
from pathlib import Path

import pytest

from tests.packaging.environments import ROOT, Environment, build, install

SAME_NAMES = ("contracts", "conformance", "fixtures", "mockserver")
"""Packages that people have in their own projects, and that are folders of this one."""


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("hatchling", reason="the build backend is in the lock file: `make install`")
    return build("wheel", ROOT, tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="session")
def base(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Environment:
    """`pip install tinker-mock`, beside somebody's pytest."""
    return install(wheel, tmp_path_factory.mktemp("base"), also=["pytest"])


@pytest.fixture(scope="session")
def judging(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Environment:
    """`pip install 'tinker-mock[conformance]'`."""
    return install(wheel, tmp_path_factory.mktemp("judging"), "conformance")


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A user's project, with packages that have the names of our folders."""
    for name in SAME_NAMES:
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text(f"WHOSE = 'the user, {name}'\n")
    (tmp_path / "conftest.py").write_text("import contracts, conformance, fixtures, mockserver\n")
    return tmp_path


@pytest.fixture(autouse=True)
def _no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("TINKER_")]:
        monkeypatch.delenv(name)
