"""What other projects' servers taught the suite: their faults are findings, ours are not."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.suite.conftest import target as judged_as
from tinker_mock.contracts.ledger import SdkSpan, requirement_of
from tinker_mock.server.errors import BadRequest
from tinker_mock.server.mutants import ActiveMutants
from tinker_mock.server.serving.in_thread import RunningServer
from tinker_mock.server.settings import Settings
from tinker_mock.server.wire.exchange import Exchange as WireExchange
from tinker_mock.suite.core.context import ScenarioContext, place
from tinker_mock.suite.core.http import Routes
from tinker_mock.suite.core.target import Target
from tinker_mock.suite.core.verdict import Status, Unmet
from tinker_mock.suite.server.paging import listed
from tinker_mock.suite.server.runner import load_scenarios, play_scenario, run_server_suite

ODD_PATH = "tinker://run/checkpoints/kept"


class Foreign(BaseHTTPRequestHandler):
    """150 sessions, 50 a page; a path no client can read; the first heartbeat is cut off."""

    protocol_version = "HTTP/1.1"
    sessions: ClassVar[list[str]] = [f"s{number}" for number in range(150)]
    requests: ClassVar[list[str]] = []

    def do_GET(self) -> None:
        query = parse_qs(urlsplit(self.path).query)
        self.requests.append(self.path)
        start = int(query.get("offset", ["0"])[0])
        count = min(50, int(query.get("limit", ["20"])[0]))
        self.answer({"sessions": self.sessions[start : start + count]})

    def do_POST(self) -> None:
        self.requests.append(self.path)
        self.rfile.read(int(self.headers["content-length"]))
        if self.path.endswith("session_heartbeat") and self.requests.count(self.path) == 1:
            self.close_connection = True
            return
        self.answer({"path": ODD_PATH, "type": "session_heartbeat"})

    def answer(self, value: object) -> None:
        body = json.dumps(value).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@pytest.fixture
def target() -> Iterator[Target]:
    Foreign.requests.clear()
    server = ThreadingHTTPServer(("127.0.0.1", 0), Foreign)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield Target(f"http://127.0.0.1:{server.server_port}", base_model="m", timeout=20.0)
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def context(target: Target) -> Iterator[ScenarioContext]:
    made = ScenarioContext(target, Routes("tinker"), {}, "foreign")
    yield made
    made.finish()


def test_long_lists_are_walked_to_their_end(context: ScenarioContext) -> None:
    assert listed(context, "list_sessions", "/sessions", "s149".__eq__)
    assert not listed(context, "list_sessions", "/sessions", "s150".__eq__)
    assert [path for path in Foreign.requests if "offset=100" in path]


def test_what_the_server_gave_out_may_go_back_and_is_not_the_suites_fault(
    context: ScenarioContext,
) -> None:
    own = context.client.call("get_weights_info", {"tinker_path": ODD_PATH})
    assert own.exchange.blame_suite
    context.client.call("session_heartbeat", {"session_id": "s", "type": "session_heartbeat"})
    echoed = context.client.call("get_weights_info", {"tinker_path": ODD_PATH})
    assert not echoed.exchange.blame_suite


def test_a_dropped_connection_is_tried_once_more(context: ScenarioContext) -> None:
    body = {"session_id": "s", "type": "session_heartbeat"}
    assert context.client.call("session_heartbeat", body).status == 200
    assert len(Foreign.requests) == 2


def test_a_path_that_no_client_reads_is_a_finding() -> None:
    with pytest.raises(Unmet, match="clients can read"):
        place(ODD_PATH)
    assert place("tinker://r/weights/n") == {"run_id": "r", "kind": "weights", "name": "n"}


def test_without_a_second_key_isolation_does_not_apply(target: Target) -> None:
    scenario = load_scenarios()["auth/isolation"]
    verdicts, _ = play_scenario(scenario, target, Routes("tinker"), requirement_of())
    assert {verdict.status for verdict in verdicts} == {Status.NOT_APPLICABLE}
    assert "--other-key" in verdicts[0].message


def test_a_server_without_keys_refuses_no_credential(target: Target) -> None:
    scenario = load_scenarios()["auth/refusals"]
    verdicts, _ = play_scenario(scenario, target, Routes("tinker"), requirement_of())
    told = {verdict.check: verdict for verdict in verdicts}
    assert told["auth/missing-key/refused"].status is Status.WARN
    assert told["auth/refusal/status"].status is Status.NOT_APPLICABLE


class Lean(ActiveMutants):
    """Knows no rankings of a prompt's tokens."""

    def prepare(self, exchange: WireExchange) -> None:
        if isinstance(exchange.body, dict) and exchange.body.get("topk_prompt_logprobs"):
            raise BadRequest("topk_prompt_logprobs is not supported by this backend")


def test_what_a_server_lacks_is_told_once_and_costs_nothing_else() -> None:
    with RunningServer(Settings(port=0, long_poll=0.7)) as running:
        running.mock.endpoint.traffic.mutants = Lean()
        asked = judged_as(running.url, sdk=SdkSpan.parse("0.25"))
        run = run_server_suite(asked, ("sampling", "protobuf/sample"))
    bad = [(one.check, one.message, one.actual, one.cause) for one in run.bad]
    assert len(bad) == 1, bad
    (told,) = run.bad
    assert told.check == "sampling/topk/rows"
    others = [one for one in run.verdicts if one.message.startswith(f"{told.check} says once")]
    assert {one.check for one in others} >= {"protobuf/sample/topk", "sampling/topk/value"}
    held = {one.check: one.status for one in run.verdicts}
    assert held["protobuf/sample/tokens"] is Status.PASS


def test_the_trace_of_a_finding_ends_before_the_cleaning_up(target: Target) -> None:
    scenario = load_scenarios()["training/one-step"]
    verdicts, exchanges = play_scenario(scenario, target, Routes("tinker"), requirement_of())
    first = verdicts[0]
    assert first.status is Status.NOT_TESTABLE
    assert len(first.trace) == 1
    assert "create_session" in first.curl
    assert "create_session" in exchanges[0].path
