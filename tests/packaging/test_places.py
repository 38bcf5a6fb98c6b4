"""Everywhere it is used: the action's steps, and the files that other tools read."""

import json
import os
import re
import socket
import subprocess
import sys
import tomllib
from importlib import import_module
from pathlib import Path

import httpx
import pytest
import yaml

from tests.packaging.environments import ROOT
from tinker_mock.cli.commands import COMMANDS
from tinker_mock.cli.parser import Parser
from tinker_mock.server.serving.in_thread import RunningServer
from tinker_mock.server.settings import Settings

VERSION = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]


class Runner:
    """What GitHub gives a step: files for its results, and a temporary folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        binaries = folder / "tinker-mock"
        binaries.mkdir()
        (binaries / "bin").symlink_to(Path(sys.executable).parent)

    def step(self, name: str, **told: str) -> subprocess.CompletedProcess[str]:
        results = ("PATH", "OUTPUT", "ENV", "STEP_SUMMARY")
        files = {f"GITHUB_{kind}": str(self.folder / kind.lower()) for kind in results}
        environment = {**os.environ, **files, "RUNNER_TEMP": str(self.folder), **told}
        command = ["bash", str(ROOT / ".ci" / "action"), name]
        return subprocess.run(
            command, env=environment, capture_output=True, text=True, timeout=120, cwd=self.folder
        )

    def result(self, kind: str) -> str:
        return (self.folder / kind).read_text()


def free_port() -> str:

    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return str(listener.getsockname()[1])


def test_the_action_serves_for_later_steps(tmp_path: Path) -> None:
    runner = Runner(tmp_path)
    port = free_port()
    done = runner.step("serve", PORT=port, OPTIONS="--seed 7 --data-dir data")
    assert done.returncode == 0, done.stderr
    url = f"http://127.0.0.1:{port}"
    try:
        assert runner.result("env") == f"TINKER_BASE_URL={url}\nTINKER_API_KEY=tml-mock\n"
        assert runner.result("output") == f"url={url}\n"
        assert httpx.get(f"{url}/api/v1/healthz").status_code == 200
    finally:
        os.kill(int(runner.result("tinker-mock/serve.pid")), 15)


def test_the_action_says_why_nothing_was_served(tmp_path: Path) -> None:
    done = Runner(tmp_path).step("serve", PORT=free_port(), OPTIONS="--scenario nosuch")
    assert done.returncode == 1
    assert "nosuch" in done.stderr
    assert "::error::" in done.stdout + done.stderr


@pytest.mark.parametrize(("mutant", "code"), [(None, 0), ("futures/unknown/terminal", 1)])
def test_the_action_judges_and_shows_the_report(
    tmp_path: Path, mutant: str | None, code: int
) -> None:
    runner = Runner(tmp_path)
    with RunningServer(Settings(port=0, break_check=mutant)) as server:
        told = {"TARGET": server.url, "KEY": "tml-a", "SELECT": "futures/unknown/terminal"}
        empty = {"OTHER_KEY": "", "BASELINE": "", "SDK": "all", "REPORT": "report"}
        done = runner.step("judge", **told, **empty)
    assert done.returncode == code, done.stderr
    assert ("not conformant" in runner.result("step_summary").lower()) == bool(code)
    assert (tmp_path / "report" / "index.html").exists()


def test_the_action_gives_its_script_what_it_reads() -> None:
    steps = yaml.safe_load((ROOT / "action.yml").read_text())["runs"]["steps"]
    script = (ROOT / ".ci" / "action").read_text()
    given = {"GITHUB_PATH", "GITHUB_OUTPUT", "GITHUB_ENV", "GITHUB_STEP_SUMMARY"}
    given |= {name for step in steps for name in step.get("env", {})}
    local = set(re.findall(r"^([A-Z_]+)=", script, re.MULTILINE))
    assert set(re.findall(r"\$\{?([A-Z_]{3,})", script)) - local - {"RUNNER_TEMP"} <= given


def test_the_hooks_name_commands_that_there_are() -> None:
    for hook in yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text()):
        command = hook["entry"].removeprefix("tinker-mock ")
        assert command in COMMANDS


def test_the_container_serves_with_options_that_there_are() -> None:
    words = json.loads(
        re.findall(r"^CMD (\[.*\])$", (ROOT / "Containerfile").read_text(), re.MULTILINE)[-1]
    )
    compose = yaml.safe_load((ROOT / "compose.yaml").read_text())["services"]
    shared = yaml.safe_load((ROOT / "compose.shared.yaml").read_text())["services"]
    served = [compose["tinker-mock"], *(shared[name] for name in ("one", "two", "three"))]
    for command in (words, *(one["command"] for one in served)):
        parser = Parser()
        import_module(f"tinker_mock.{COMMANDS[command[0]][0]}").add_arguments(parser)
        assert parser.parse(command[1:]).host == "0.0.0.0"


def test_the_servers_of_the_compose_file_find_each_other_and_their_database() -> None:
    """No container runs here: names, ports and users must agree."""
    services = yaml.safe_load((ROOT / "compose.shared.yaml").read_text())["services"]
    balanced = re.findall(r"--to (\w+):(\d+)", services["balancer"]["command"])
    servers = {name for name, one in services.items() if "serve" in one.get("command", ())}
    assert {name for name, _ in balanced} == servers == {"one", "two", "three"}
    address = f"postgresql://{services['db']['environment']['POSTGRES_USER']}@db/mock"
    published = services["balancer"]["ports"][0].rpartition(":")[0]
    for name, port in balanced:
        command = services[name]["command"]
        parser = Parser()
        import_module(f"tinker_mock.{COMMANDS[command[0]][0]}").add_arguments(parser)
        told = parser.parse(command[1:])
        assert (told.store, told.peer_host, told.port) == (address, name, int(port))
        assert told.base_url == f"http://{published}"
        assert services[name]["depends_on"]["db"]["condition"] == "service_healthy"
        assert services[name]["build"]["args"]["EXTRAS"].split(",")[-1] == "postgres"


def test_every_place_has_the_same_version() -> None:
    assert yaml.safe_load((ROOT / "CITATION.cff").read_text())["version"] == VERSION
    assert f"## {VERSION} " in (ROOT / "CHANGELOG.md").read_text()
    for pinned in re.findall(
        r"tinker-mock@v([\d.]+\d)", (ROOT / "docs" / "start" / "ci.md").read_text()
    ):
        assert pinned == VERSION
