"""Running a program under each circumstance, and judging what it said."""

import os
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from importlib.resources import files
from typing import Any

import httpx
import yaml

from tinker_mock.contracts.ledger import requirement_of
from tinker_mock.suite.client.checks import protocol as speaking
from tinker_mock.suite.client.checks import requests as working
from tinker_mock.suite.client.checks import retries as recovering
from tinker_mock.suite.client.judging import CLIENT_CHECKS, ClientCheck, NotApplicable
from tinker_mock.suite.client.traffic import Conversation, Said
from tinker_mock.suite.core.verdict import Status, Unmet, Verdict
from tinker_mock.suite.mock_process import mock_server

MODULES = (speaking, working, recovering)
KEY = "tml-audited-client"
MODEL = "Qwen/Qwen3-8B"
Told = Callable[[str], None]


@cache
def circumstances() -> dict[str, dict[str, Any]]:
    """The circumstances by name, in order."""
    text = (files("tinker_mock.suite.client") / "situations.yaml").read_text("utf-8")
    return dict(yaml.safe_load(text))


def converse(
    command: Sequence[str],
    circumstance: str,
    timeout: float,
    environment: Mapping[str, str] | None = None,
) -> Conversation:
    """Run the program once against a fresh mock; `timeout` is in seconds."""
    with mock_server(["--long-poll", "5"]) as url, httpx.Client(base_url=url, timeout=10) as mock:
        script = yaml.safe_dump(circumstances()[circumstance]["scenario"])
        mock.put("/_mock/scenario", json={"yaml": script}).raise_for_status()
        mock.delete("/_mock/journal").raise_for_status()
        variables = {
            **(os.environ if environment is None else environment),
            "TINKER_BASE_URL": url,
            "TINKER_API_KEY": KEY,
            "TINKER_MOCK_CIRCUMSTANCE": circumstance,
            "TINKER_MOCK_MODEL": MODEL,
        }
        began = time.monotonic()
        code, output = run_program(command, variables, timeout)
        seconds = time.monotonic() - began
        entries = mock.get("/_mock/journal", params={"limit": 10_000}).raise_for_status().json()
    said = [Said(entry) for entry in entries["entries"]]
    return Conversation(circumstance, said, code, seconds, output, KEY)


def run_program(
    command: Sequence[str], variables: Mapping[str, str], timeout: float
) -> tuple[int | None, str]:
    """Exit code (None if it had to be stopped) and output."""
    process = subprocess.Popen(
        list(command),
        env=dict(variables),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    )
    try:
        output, _ = process.communicate(timeout=timeout)
        return process.returncode, output
    except subprocess.TimeoutExpired:
        process.kill()
        output, _ = process.communicate()
        return None, output


def audit_client(
    command: Sequence[str],
    names: Sequence[str] = (),
    timeout: float = 60.0,
    told: Told | None = None,
    environment: Mapping[str, str] | None = None,
    jobs: int = 2,
) -> list[Verdict]:
    """Verdicts of every check, in the order of the table."""
    wanted = list(names or circumstances())

    def one(name: str) -> Conversation:
        conversation = converse(command, name, timeout, environment)
        if told:
            told(f"{name}: {len(conversation.said)} requests, exit code {conversation.exit_code}")
        return conversation

    with ThreadPoolExecutor(jobs) as pool:
        conversations = {one.circumstance: one for one in pool.map(one, wanted)}
    return [judge_check(check, conversations) for check in CLIENT_CHECKS.values()]


def judge_check(check: ClientCheck, conversations: Mapping[str, Conversation]) -> Verdict:
    """One check's verdict."""
    rule = requirement_of()[check.id]
    verdict = Verdict(check.id, rule, Status.PASS, scenario=check.circumstance)
    conversation = conversations.get(check.circumstance)
    if conversation is None:
        verdict.status, verdict.message = Status.NOT_APPLICABLE, "the circumstance was not played"
        return verdict
    try:
        check.judge(conversation)
    except NotApplicable as reason:
        verdict.status, verdict.message = Status.NOT_APPLICABLE, str(reason)
    except Unmet as unmet:
        verdict.status = Status.FAIL if rule.level == "MUST" else Status.WARN
        verdict.message = str(unmet)
        verdict.expected, verdict.actual = unmet.expected, unmet.actual
        verdict.trace = [trace_of(one, conversation) for one in conversation.said[:8]]
    except Exception as error:
        verdict.status, verdict.message = Status.ERROR, f"{type(error).__name__}: {error}"
    return verdict


def trace_of(said: Said, conversation: Conversation) -> dict[str, Any]:
    """An exchange in the form that reports show."""
    return {
        "t_ms": round((said.at - conversation.said[0].at) * 1000, 1),
        "took_ms": round((said.until - said.at) * 1000, 1),
        "request": f"{said.entry['method']} {said.entry['path']}",
        "request_headers": dict(said.headers),
        "request_body": repr(said.entry.get("request_body"))[:800],
        "status": said.status or "no answer",
        "response_headers": dict(said.entry.get("response_headers") or {}),
        "response_body": repr(said.entry.get("response_body"))[:800],
    }
