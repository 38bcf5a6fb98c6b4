"""One release, or the reference client as `tinker`, against the server: run the workload, watch
the wire."""

import json
import os
import subprocess
import sys
import sysconfig
import threading
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import httpx

from tinker_mock.client import compat
from tinker_mock.suite.sdk import environment
from tinker_mock.suite.sdk.exchanges import judge

PASS, FAIL, ABSENT = "pass", "fail", "n/a"
TIME_LIMIT = 300.0
CLIENT = "client"
"""In place of a release: the reference client, imported as `tinker`."""
CLIENT_AGENT = "tinker-mock-client"
WORKLOAD = Path(__file__).parent


@dataclass
class StepResult:
    """What came of one step under one release."""

    status: str
    reason: str = ""
    seconds: float = 0.0


@dataclass(frozen=True)
class Server:
    """What to audit against.

    `tokenized_model` is a model on offer whose `tokenizer_id` is a local directory; `flags` says
    that the server turns every optional path of the SDK on.
    """

    url: str
    tokenized_model: str = ""
    flags: bool = False


@dataclass
class ReleaseRun:
    """All steps of one release (or of CLIENT), and its exchanges; `flags` as in Server."""

    release: str
    flags: bool = False
    steps: dict[str, StepResult] = field(default_factory=dict)
    exchanges: int = 0
    violations: list[str] = field(default_factory=list)
    seconds: float = 0.0

    def count(self, status: str) -> int:
        return sum(1 for result in self.steps.values() if result.status == status)

    @property
    def name(self) -> str:
        """`0.38`, `client`, and `0.38⚑` with the flags on."""
        return ".".join(self.release.split(".")[:2]) + ("⚑" if self.flags else "")

    @property
    def version(self) -> str:
        """The release whose contract holds: the reference client speaks as the newest."""
        return environment.newest() if self.release == CLIENT else self.release

    @property
    def clean(self) -> bool:
        """No step failed and no exchange broke the contract."""
        return self.count(FAIL) == 0 and not self.violations

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


class JournalReader:
    """The server's journal, read for one run from where it was left."""

    def __init__(self, url: str, run: ReleaseRun) -> None:
        self._run = run
        self._client = httpx.Client(base_url=url, timeout=30)
        self._after = 0

    def new_entries(self) -> list[dict[str, Any]]:
        """Exchanges of this run's client since the last call."""
        query = {"client": f"tinker {self._run.version}", "after": str(self._after)}
        answer = self._client.get("/_mock/journal", params=query)
        answer.raise_for_status()
        entries: list[dict[str, Any]] = answer.json()["entries"]
        if entries:
            self._after = max(entry["number"] for entry in entries)
        return [entry for entry in entries if self._is_own(entry)]

    def _is_own(self, entry: dict[str, Any]) -> bool:
        """The reference client and the release that it speaks as may share a server."""
        agent = str(entry["request_headers"].get("user-agent", ""))
        return agent.startswith(CLIENT_AGENT) == (self._run.release == CLIENT)

    def close(self) -> None:
        self._client.close()


class WorkloadProcess:
    """A workload process of one release."""

    def __init__(self, release: str, server: Server) -> None:
        self.run = ReleaseRun(release, server.flags)
        self.texts: dict[str, str] = {}
        self._journal = JournalReader(server.url, self.run)
        self._server = server

    def finish(self) -> ReleaseRun:
        """Run all steps; raises EnvironmentMissing if the release is not unpacked."""
        process = self._start()
        watchdog = threading.Timer(TIME_LIMIT, process.kill)
        watchdog.start()
        try:
            self._read(process)
        finally:
            watchdog.cancel()
            process.kill()
            _, errors = process.communicate()
            self._journal.close()
        for step in self.texts.keys() - self.run.steps.keys():
            last = errors.strip().splitlines()[-1:] or ["no message"]
            self.run.steps[step] = StepResult(FAIL, f"the process ended before it: {last[0]}")
        self.run.seconds = round(sum(c.seconds for c in self.run.steps.values()), 1)
        return self.run

    def _start(self) -> "subprocess.Popen[str]":
        release = self.run.release
        told = {
            "TINKER_BASE_URL": self._server.url,
            "TINKER_API_KEY": f"tml-audit-{release.replace('.', '-')}",
            "TINKER_PROJECT_ID": "project-audit",
            "AUDIT_TOKENIZED_MODEL": self._server.tokenized_model,
        }
        if release == CLIENT:
            python, variables = _client_process(told)
        else:
            code = environment.home() / "releases" / release
            told["PYTHONPATH"] = os.pathsep.join(map(str, (code, WORKLOAD)))
            python, variables = environment.process(release, **told)
        return subprocess.Popen(
            [python, "-m", "workload"],
            env=variables,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def _read(self, process: "subprocess.Popen[str]") -> None:
        assert process.stdout is not None
        for line in process.stdout:
            message = json.loads(line)
            if "plan" in message:
                self.texts = {step["step"]: step["text"] for step in message["plan"]}
                continue
            result = StepResult(message["status"], message["reason"], message["seconds"])
            self._judge_exchanges(message["step"], result)
            self.run.steps[message["step"]] = result

    def _judge_exchanges(self, step: str, result: StepResult) -> None:
        entries = self._journal.new_entries()
        self.run.exchanges += len(entries)
        strict = self.run.release != CLIENT  # which also has what older releases had
        for problem in (
            one
            for entry in entries
            for one in judge(entry, self.run.version, only_its_calls=strict)
        ):
            self.run.violations.append(f"{step}: {problem}")
            if result.status == PASS:
                result.status, result.reason = FAIL, problem


def _client_process(told: Mapping[str, str]) -> tuple[str, dict[str, str]]:
    """As `environment.process`, for the reference client: it runs here, as `tinker`.

    From the SDKs' environment it takes torch, which one step is about.
    """
    inherited = {k: v for k, v in os.environ.items() if not k.startswith(("TINKER_", "PYTHON"))}
    for_torch = environment.home() / Path(sysconfig.get_path("purelib")).relative_to(sys.prefix)
    folders = (compat.path(), WORKLOAD, sysconfig.get_path("purelib"), for_torch)
    return sys.executable, {
        **inherited,
        **told,
        "PYTHONPATH": os.pathsep.join(map(str, folders)),
        "PYTHONUNBUFFERED": "1",
        "AUDIT_COMMAND": json.dumps([sys.executable, "-m", "tinker_mock.cli", "client"]),
    }
