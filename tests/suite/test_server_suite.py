"""The suite passes the healthy mock and tells the truth about partial and hostile servers."""

import json
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tinker_mock.cli import main
from tinker_mock.contracts.ledger import SdkSpan
from tinker_mock.suite.core.results import Run, results_of
from tinker_mock.suite.core.target import Target
from tinker_mock.suite.core.verdict import Status
from tinker_mock.suite.mock_process import mock_server
from tinker_mock.suite.server.runner import run_server_suite

ABOUT = {"kind": "server", "name": "mock", "sdk": "all"}
MODEL = "Qwen/Qwen3-8B"


def test_a_healthy_mock_is_conformant(healthy_run: Run) -> None:
    assert [(one.check, one.message, one.actual) for one in healthy_run.bad] == []
    assert healthy_run.blame_suite == []
    assert sum(one.status is Status.PASS for one in healthy_run.verdicts) >= 250


def test_one_seed_gives_one_results_file() -> None:
    found = []
    for _ in range(2):
        with mock_server(["--seed", "5"]) as url:
            select = ("sampling", "models")
            run = run_server_suite(
                Target(url, base_model=MODEL, seed=5, timeout=60.0), select, workers=1
            )
        results = results_of(run, ABOUT, "2026-01-01T00:00:00+00:00")
        results["duration_s"] = 0
        for row in results["verdicts"]:
            row["duration_ms"] = 0
            for exchange in row["trace"]:
                exchange["t_ms"] = exchange["took_ms"] = 0
        found.append(json.dumps(results).replace(url, ""))
    assert found[0] == found[1]


def test_read_only_makes_nothing(quick_mock: str) -> None:
    run = run_server_suite(Target(quick_mock, read_only=True, base_model=MODEL, timeout=60.0))
    operations = {one.operation.id for one in run.exchanges if one.operation}
    assert not operations & {"create_session", "create_model", "asample"}
    assert not run.bad


def test_checks_of_other_releases_do_not_apply(quick_mock: str) -> None:
    run = run_server_suite(Target(quick_mock, sdk=SdkSpan.parse("0.7-0.16")), ("protobuf",))
    statuses = {one.check: one.status for one in run.verdicts}
    assert statuses["protobuf/output/offsets"] is Status.NOT_APPLICABLE


def test_a_server_for_protobuf_releases_is_spoken_to_in_protobuf(quick_mock: str) -> None:
    span = SdkSpan.parse("0.25")
    run = run_server_suite(
        Target(quick_mock, sdk=span, base_model=MODEL, timeout=60.0), ("training", "sampling")
    )
    assert [(one.check, one.message) for one in run.bad] == []
    sent = [
        one for one in run.exchanges if one.operation and one.operation.id == "forward_backward"
    ]
    assert {one.request_headers["content-type"] for one in sent} == {"application/x-protobuf"}


def test_a_growing_suite_fails_nobody_in_retrospect(quick_mock: str) -> None:
    old = frozenset({"telemetry/batch/full"})
    run = run_server_suite(Target(quick_mock, scored=old), ("telemetry",))
    judged = {one.check for one in run.verdicts if one.status is not Status.NOT_APPLICABLE}
    assert judged == old


class Empty(BaseHTTPRequestHandler):
    """A server that has only healthz."""

    def answer(self) -> None:
        length = int(self.headers.get("content-length") or 0)
        self.rfile.read(length)
        good = self.path.endswith("/healthz")
        body = b'{"status": "ok"}' if good else b'{"detail": "Not Found"}'
        self.send_response(200 if good else 404)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST = do_PUT = do_DELETE = answer

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@pytest.fixture
def empty_server() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Empty)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


def test_missing_operations_are_findings_and_no_crash(empty_server: str) -> None:
    run = run_server_suite(Target(empty_server, timeout=60.0, long_poll=20.0))
    statuses = {one.check: one.status for one in run.verdicts}
    assert Status.ERROR not in statuses.values()
    assert statuses["service/healthz/ok"] is Status.PASS
    assert statuses["sessions/create/id"] is Status.NOT_APPLICABLE
    told = [one for one in run.bad if "create_session is missing" in one.message]
    assert [one.status for one in told] == [Status.FAIL]
    assert statuses["sessions/wire/create_session"] is Status.NOT_APPLICABLE


def test_a_server_that_hangs_is_a_finding_within_bounds() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        run = run_server_suite(Target(url, timeout=0.3, long_poll=0.3), ("service/healthz",))
    assert {one.status for one in run.verdicts} <= {Status.FAIL, Status.WARN, Status.NOT_TESTABLE}
    assert run.duration < 60


def test_the_command_writes_reports_and_exit_codes(
    quick_mock: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    base = ["conformance", "run", "--target", quick_mock, "--select", "telemetry", "--quiet"]
    assert main([*base, "--report", str(tmp_path)]) == 0
    assert {path.name for path in tmp_path.iterdir()} == {
        "results.json", "index.html", "junit.xml", "badge.svg", "report.md",
    }  # fmt: skip
    assert "conformant" in capsys.readouterr().out
    assert main([*base, "--sdk", "banana"]) == 2
    assert main(["conformance", "run", "--target", quick_mock, "--select", "no/such"]) == 2
    baseline = tmp_path / "baseline.yaml"
    baseline.write_text("failing: {telemetry/batch/full: it used to fail}")
    assert main([*base, "--baseline", str(baseline)]) == 1
    assert "stale: telemetry/batch/full" in capsys.readouterr().out


def test_an_address_that_cannot_be_reached_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    for target_url, words in (
        (f"http://127.0.0.1:{port}", "cannot reach"),
        (f"127.0.0.1:{port}", "write it with its scheme"),
    ):
        assert main(["conformance", "run", "--target", target_url]) == 2
        told = capsys.readouterr()
        assert words in told.err
        assert told.err.count("\n") == 1
        assert told.out == ""


def test_a_run_whose_budget_is_over_ends_with_a_report(
    quick_mock: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    base = ["conformance", "run", "--target", quick_mock, "--select", "service", "--quiet"]
    assert main([*base, "--budget", "0", "--report", str(tmp_path)]) == 1
    assert (tmp_path / "results.json").exists()
    assert capsys.readouterr().out.count("\n") == 1
