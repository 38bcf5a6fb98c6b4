"""The wheel, installed, in a project whose packages are called like our folders."""

import json
import signal
import subprocess
import sys
import tarfile
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from zipfile import ZipFile

import pytest

from tests.packaging.conftest import SAME_NAMES
from tests.packaging.environments import ROOT, Environment, build

USER_TEST = """
import json
import urllib.request

import contracts, conformance, fixtures, mockserver


def test_the_users_names_are_the_users():
    for module in (contracts, conformance, fixtures, mockserver):
        assert module.WHOSE == f"the user, {module.__name__}"


def test_the_mock(tinker_mock, tinker_mock_session):
    for url in (tinker_mock.url, tinker_mock_session.url):
        with urllib.request.urlopen(f"{url}/api/v1/healthz") as answer:
            assert json.load(answer) == {"status": "ok"}
"""
MISTYPED = """
import pytest


@pytest.mark.tinker_mock(sead=7)
def test_the_mock(tinker_mock):
    pass
"""


@contextmanager
def serving(environment: Environment, *command: str, cwd: Path) -> Iterator[str]:
    """A server process that was announced; gives its URL."""
    with subprocess.Popen(
        [*command, "--port", "0"],
        cwd=cwd,
        env=environment.variables(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as server:
        assert server.stdout
        try:
            ready = server.stdout.readline()
            assert ready.startswith("tinker-mock ready at http"), server.communicate()
            yield ready.split()[-1]
        finally:
            server.send_signal(signal.SIGTERM)
            _, said = server.communicate(timeout=30)
    assert server.returncode == 0, said


def test_it_holds_one_importable_name(wheel: Path, base: Environment, tmp_path: Path) -> None:
    tops = {name.split("/")[0] for name in ZipFile(wheel).namelist()}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"tinker_mock"}
    for name in SAME_NAMES:
        done = base.run(base.python, "-c", f"import {name}", cwd=tmp_path)
        assert f"No module named '{name}'" in done.stderr


def test_the_sdist_builds_the_same_wheel(wheel: Path, tmp_path: Path) -> None:
    with tarfile.open(build("sdist", ROOT, tmp_path)) as archive:
        archive.extractall(tmp_path, filter="data")
    (source,) = tmp_path.glob("tinker_mock-*/")
    again = build("wheel", source, tmp_path)
    assert ZipFile(again).namelist() == ZipFile(wheel).namelist()


def test_a_base_install_is_small(base: Environment) -> None:
    without_pytest = base.distributions - {"pytest", "pluggy", "iniconfig", "pygments", "packaging"}
    assert len(without_pytest) <= 20, sorted(without_pytest)


def test_it_registers_no_other_pytest_plugin(base: Environment, tmp_path: Path) -> None:
    program = (
        "from importlib.metadata import entry_points\n"
        "print(*sorted(point.name for point in entry_points(group='pytest11')))"
    )
    done = base.run(base.python, "-c", program, cwd=tmp_path)
    assert done.stdout.split() == ["anyio", "tinker_mock"]  # anyio is Starlette's


def test_users_run_pytest_with_the_fixture(base: Environment, project: Path) -> None:
    (project / "test_mine.py").write_text(USER_TEST)
    done = base.run(base.python, "-m", "pytest", "-q", "-p", "no:cacheprovider", cwd=project)
    assert "2 passed" in done.stdout, done.stdout


def test_a_mistyped_setting_is_answered_with_a_near_one(base: Environment, project: Path) -> None:
    (project / "test_mine.py").write_text(MISTYPED)
    done = base.run(base.python, "-m", "pytest", "-q", "-p", "no:cacheprovider", cwd=project)
    assert "has no setting 'sead'; did you mean seed?" in done.stdout
    assert "Traceback" not in done.stdout


@pytest.mark.parametrize("way", ["command", "module"])
def test_users_serve(base: Environment, project: Path, way: str) -> None:
    ways = {"command": [base.command, "serve"], "module": [base.python, "-m", "tinker_mock.server"]}
    with (
        serving(base, *ways[way], cwd=project) as url,
        urllib.request.urlopen(f"{url}/api/v1/healthz") as answer,
    ):
        assert json.load(answer) == {"status": "ok"}


def test_users_audit_their_client(judging: Environment, project: Path) -> None:
    program = [judging.python, "-P", "-m", "tinker_mock.suite.client.recipes.reference_client"]
    audit = [judging.command, "audit", "client", "--scenario", "healthy", "--", *program]
    done = judging.run(*audit, cwd=project)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "conformant" in done.stdout


def test_the_metadata_names_every_extra(wheel: Path) -> None:
    with ZipFile(wheel) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        metadata = archive.read(name).decode()
    extras = {
        line.split()[1] for line in metadata.splitlines() if line.startswith("Provides-Extra")
    }
    assert extras >= {"text", "client", "proxy", "respx", "age", "conformance", "servers", "all"}
    assert f"Requires-Python: >=3.{min(11, sys.version_info.minor)}" in metadata
