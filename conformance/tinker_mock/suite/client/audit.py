"""Running a program in each situation, and judging what it sent."""

import os
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache
from importlib.resources import files
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import httpx
import yaml

from tinker_mock.contracts.ledger import NEWEST, OLDEST, Requirement, requirement_of
from tinker_mock.suite.client.checks import (
    calls,
    candour,
    guidance,
    lifetimes,
    limits,
    pace,
    patience,
    protocol,
    requests,
    retries,
    understanding,
)
from tinker_mock.suite.client.judging import CLIENT_CHECKS, ClientCheck, need
from tinker_mock.suite.client.report import ENVIRONMENT as REPORT
from tinker_mock.suite.client.report import read_report
from tinker_mock.suite.client.traffic import RecordedExchange, Traffic
from tinker_mock.suite.core.verdict import Status, Verdict, judging
from tinker_mock.suite.mock_process import mock_server

MODULES = (
    protocol, requests, retries, patience, candour, pace, understanding, calls, lifetimes, limits,
    guidance,
)  # fmt: skip
"""Whose import fills the table of checks."""
KEY = "tml-audited-client"
MODEL = "Qwen/Qwen3-8B"
KEEP_ALL = ("--journal-memory", "2048", "--journal-body", "128")
"""A program is judged by all that it sent, however long."""
Progress = Callable[[str], None]


@cache
def situations() -> dict[str, dict[str, Any]]:
    """The situations by name, in order."""
    text = (files("tinker_mock.suite.client") / "situations.yaml").read_text("utf-8")
    return dict(yaml.safe_load(text))


@contextmanager
def stage(situation: str) -> Iterator[str]:
    """A mock started as the situation wants it; gives its URL."""
    options = ["--long-poll", "5", *KEEP_ALL, *situations()[situation].get("serve", [])]
    with mock_server(options) as url:
        yield url


def record_traffic(
    command: Sequence[str],
    situation: str,
    timeout: float,
    environment: Mapping[str, str] | None = None,
) -> Traffic:
    """Run the program once against a fresh mock; `timeout` is in seconds."""
    with stage(situation) as url:
        return record_on(url, command, situation, timeout, environment)


def record_on(
    url: str,
    command: Sequence[str],
    situation: str,
    timeout: float,
    environment: Mapping[str, str] | None = None,
    key: str = KEY,
) -> Traffic:
    """Run the program once against a mock that is there; another key has other belongings."""
    with TemporaryDirectory() as folder, httpx.Client(base_url=url, timeout=60) as mock:
        report = Path(folder) / "report.jsonl"
        script = yaml.safe_dump(situations()[situation]["scenario"])
        mock.put("/_mock/scenario", json={"yaml": script}).raise_for_status()
        mock.delete("/_mock/journal").raise_for_status()
        variables = {
            **(os.environ if environment is None else environment),
            "TINKER_BASE_URL": url,
            "TINKER_API_KEY": key,
            "TINKER_MOCK_SITUATION": situation,
            "TINKER_MOCK_MODEL": MODEL,
            REPORT: str(report),
        }
        began = time.monotonic()
        code, output = run_program(command, variables, timeout)
        seconds = time.monotonic() - began
        lines = read_report(report)
        entries = mock.get("/_mock/journal", params={"limit": 10_000}).raise_for_status().json()
    exchanges = [RecordedExchange(entry) for entry in entries["entries"]]
    return Traffic(situation, exchanges, code, seconds, output, key, report=lines)


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
    progress: Progress | None = None,
    environment: Mapping[str, str] | None = None,
    jobs: int = 2,
) -> list[Verdict]:
    """Verdicts of every check, in the order of the table."""
    wanted = sorted(names or situations(), key=lambda name: not situations()[name].get("patient"))

    def play(name: str) -> Traffic:
        traffic = record_traffic(command, name, timeout, environment)
        if progress:
            progress(f"{name}: {len(traffic.exchanges)} requests, exit code {traffic.exit_code}")
        return traffic

    with ThreadPoolExecutor(jobs) as pool:
        by_situation = {one.situation: one for one in pool.map(play, wanted)}
    return [judge_check(check, by_situation) for check in CLIENT_CHECKS.values()]


def judge_check(check: ClientCheck, by_situation: Mapping[str, Traffic]) -> Verdict:
    """One check's verdict."""
    rule = requirement_of()[check.id]
    verdict = Verdict(check.id, rule, Status.PASS, scenario=check.situation)
    traffic = by_situation.get(check.situation)
    if traffic is None:
        verdict.status, verdict.message = Status.NOT_APPLICABLE, "the situation was not played"
        return verdict
    with judging(verdict):
        need(applies(rule, traffic), f"the rule is for releases {rule.sdk}")
        check.judge(traffic)
    if verdict.status in (Status.FAIL, Status.WARN):
        verdict.trace = [trace_of(one, traffic) for one in telling(traffic)]
    return verdict


def applies(rule: Requirement, traffic: Traffic) -> bool:
    """Whether a rule is one for the release that the client says it is, if it says one."""
    known = range(OLDEST[1], NEWEST[1] + 1)
    told = max(known[0], min(traffic.release, known[-1]))
    return not traffic.release or told in rule.sdk


def telling(traffic: Traffic, most: int = 8) -> list[RecordedExchange]:
    """The exchanges to show: what went wrong and what came of it, or else how it began."""
    troubled = [
        one for one in traffic.exchanges if not one.ok and one.operation != "retrieve_future"
    ]
    works = {one.identity for one in troubled}
    shown = [one for one in traffic.exchanges if one.identity in works and one.operation]
    return (shown or traffic.exchanges)[:most]


def trace_of(exchange: RecordedExchange, traffic: Traffic) -> dict[str, Any]:
    """An exchange in the form that reports show."""
    return {
        "t_ms": round((exchange.at - traffic.exchanges[0].at) * 1000, 1),
        "took_ms": round((exchange.until - exchange.at) * 1000, 1),
        "request": f"{exchange.entry['method']} {exchange.entry['path']}",
        "request_headers": dict(exchange.headers),
        "request_body": repr(exchange.entry.get("request_body"))[:800],
        "status": exchange.status or "no answer",
        "response_headers": dict(exchange.entry.get("response_headers") or {}),
        "response_body": repr(exchange.entry.get("response_body"))[:800],
    }
