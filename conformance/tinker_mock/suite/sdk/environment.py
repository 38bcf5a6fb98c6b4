"""One environment for all SDK releases: shared dependencies, the wheels unpacked side by side.

Every release's pure-Python wheel imports against the same dependencies, so `PYTHONPATH` alone
chooses which release a process runs.
"""

import argparse
import hashlib
import os
import shutil
import subprocess
import sys
import zipfile
from functools import cache
from importlib.resources import files
from pathlib import Path

import yaml

TORCH = "torch==2.13.0"  # 0.7.0 imports it; custom losses of every release need it
_HERE = files("tinker_mock.suite.sdk")


class EnvironmentMissing(RuntimeError):
    """The SDK environment is not there; the message says how to build it."""


@cache
def releases() -> dict[str, str]:
    """Audited releases, oldest first, with the sha256 of each wheel."""
    return dict(yaml.safe_load((_HERE / "releases.yaml").read_text()))


def newest() -> str:
    """The newest audited release."""
    return list(releases())[-1]


def home() -> Path:
    """Where the environment lives: `TINKER_MOCK_SDKS`, else `.venv-sdk` in this directory."""
    return Path(os.environ.get("TINKER_MOCK_SDKS", ".venv-sdk")).resolve()


def process(version: str, **variables: str) -> tuple[str, dict[str, str]]:
    """The interpreter and the environment variables that run one release.

    Raises EnvironmentMissing when the environment, or that release, was not built.
    """
    python, code = home() / "bin" / "python", home() / "releases" / version
    if not python.exists() or not code.is_dir():
        raise EnvironmentMissing(
            f"no tinker {version} under {home()}: run `tinker-mock sdk-env {version}`, "
            "or set TINKER_MOCK_SDKS to an environment that has it"
        )
    inherited = {k: v for k, v in os.environ.items() if not k.startswith(("TINKER_", "PYTHON"))}
    return str(python), {
        **inherited,
        "PYTHONPATH": str(code),
        "PYTHONUNBUFFERED": "1",
        "HF_HUB_OFFLINE": "1",
        **variables,
    }


def build(versions: list[str], torch: str = TORCH) -> Path:
    """Create or complete the environment for these releases; returns its directory.

    What a new lock adds or renews is installed into the environment that is there.
    """
    python = home() / "bin" / "python"
    lock = _HERE / "sdk-environment.lock"
    installed = home() / "installed.lock"
    if not installed.exists() or installed.read_text() != lock.read_text() + torch:
        if not python.exists():
            _run(sys.executable, "-m", "venv", "--clear", str(home()))
        pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        _run(*pip, "--require-hashes", "-r", str(lock))
        if torch:
            _run(*pip, torch)
        installed.write_text(lock.read_text() + torch)
    for version in versions:
        _unpack(version, python)
    return home()


def _unpack(version: str, python: Path) -> None:
    code = home() / "releases" / version
    if code.is_dir():
        return
    wheels = home() / "wheels"
    download = [str(python), "-m", "pip", "download", "--quiet", "--disable-pip-version-check"]
    _run(*download, "--no-deps", "--dest", str(wheels), f"tinker=={version}")
    wheel = next(wheels.glob(f"tinker-{version}-*.whl"))
    found, known = hashlib.sha256(wheel.read_bytes()).hexdigest(), releases().get(version)
    if known and found != known:
        raise ValueError(f"{wheel.name}: sha256 is {found}, releases.yaml says {known}")
    partial = code.with_suffix(".partial")
    shutil.rmtree(partial, ignore_errors=True)
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(partial)
    partial.rename(code)


def _run(*command: str) -> None:
    subprocess.run(command, check=True)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("versions", nargs="*", metavar="VERSION", help="default: every release")
    parser.add_argument("--torch", default=TORCH, help="what to install as torch; '' for none")


def run(arguments: argparse.Namespace) -> int:
    """Build the environment and say where it is."""
    versions = arguments.versions or list(releases())
    what = f"{len(versions)} releases of the SDK" if len(versions) > 1 else f"SDK {versions[0]}"
    print(f"{what} and what they need, about 1 GB, into {home()}", file=sys.stderr)
    print(build(versions, arguments.torch))
    return 0
