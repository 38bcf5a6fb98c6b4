"""What the audit says of clients in trouble, of those that ignore flags, and of silent mistakes."""

from pathlib import Path
from typing import Any

import pytest

from tinker_mock.suite.client.audit import audit_client, judge_check
from tinker_mock.suite.client.judging import CLIENT_CHECKS
from tinker_mock.suite.client.report import Line
from tinker_mock.suite.client.traffic import RecordedExchange, Traffic
from tinker_mock.suite.core.verdict import Status
from tinker_mock.suite.sdk.environment import EnvironmentMissing, process

THOROUGH = Path(__file__).parent / "programs" / "thorough"
FINE = (Status.PASS, Status.NOT_APPLICABLE)
AGENT = {"user-agent": "x/Python 0.38.0"}


def exchange(operation: str, at: float, status: int = 200, **more: Any) -> RecordedExchange:
    entry = {
        "number": int(at * 1000),
        "operation": operation,
        "method": "POST",
        "path": "/",
        "query": {},
        "received_at": at,
        "answered_at": at + 0.01,
        "status": status,
        "request_body": {},
        "request_headers": AGENT,
        "response_body": {},
        **more,
    }
    return RecordedExchange(entry)


def poll(at: float, status: int = 200, promise: str = "p") -> RecordedExchange:
    return exchange("retrieve_future", at, status, request_body={"request_id": promise})


def judged(check: str, exchanges: list[RecordedExchange], **more: Any) -> Status:
    one = CLIENT_CHECKS[check]
    traffic = Traffic(one.situation, exchanges, **more)
    return judge_check(one, {one.situation: traffic}).status


def test_a_poll_that_is_refused_is_repeated_after_a_pause() -> None:
    check = "client/busy/polls-again"
    assert judged(check, [poll(1.0, 429), poll(2.0)]) is Status.PASS
    assert judged(check, [poll(1.0, 429)]) is Status.FAIL
    assert judged(check, [poll(1.0, 429), poll(1.02)]) is Status.FAIL


def test_a_poll_without_an_answer_is_repeated() -> None:
    dropped = exchange("retrieve_future", 1.0, 0, request_body={"request_id": "p"}, effects="drop")
    assert judged("client/ill/polls-again", [dropped, poll(2.0)]) is Status.PASS
    assert judged("client/ill/polls-again", [dropped]) is Status.FAIL


def test_a_sample_whose_promise_is_gone_is_asked_for_after_a_pause() -> None:
    gone = [exchange("asample", 1.0), poll(1.1, 410)]
    assert judged("client/gone/backs-off", [*gone, exchange("asample", 1.7)]) is Status.PASS
    assert judged("client/gone/backs-off", [*gone, exchange("asample", 1.12)]) is Status.WARN


def test_a_client_that_ignores_flags_is_told() -> None:
    plain = [exchange("forward_backward", 1.0), exchange("asample", 2.0)]
    assert judged("client/guided/compressed", plain) is Status.WARN
    assert judged("client/guided/one-poll", plain) is Status.WARN
    headers = {**AGENT, "content-encoding": "zstd"}
    good = [exchange("forward_backward", 1.0, request_headers=headers), plain[1]]
    assert judged("client/guided/compressed", good) is Status.PASS
    good.append(exchange("retrieve_futures", 3.0))
    assert judged("client/guided/one-poll", good) is Status.PASS


def test_a_mistake_that_nobody_told_of_is_told() -> None:
    check = "client/mistaken/told"
    told: Line = {"value": "mistake", "what": "rank 0", "told": True}
    assert judged(check, [], report=[told]) is Status.PASS
    assert judged(check, [], report=[told, {**told, "told": False}]) is Status.FAIL
    assert judged(check, [], report=[told], exit_code=1) is Status.FAIL
    assert judged(check, []) is Status.NOT_APPLICABLE


def test_a_pause_is_not_told_again_and_again() -> None:
    check = "client/understood/queue-calm"
    line: Line = {"value": "queue", "says": "Training is paused", "logged": True}
    assert judged(check, [], report=[line]) is Status.PASS
    assert judged(check, [], report=[line, line]) is Status.WARN
    heard = {**line, "logged": False}
    assert judged(check, [], report=[heard, heard]) is Status.NOT_APPLICABLE


def test_a_traceback_of_a_program_that_succeeds_is_told() -> None:
    trace = "Traceback (most recent call last):\n  File …\nValueError: no"
    assert judged("client/pending/quiet", [], output="done") is Status.PASS
    assert judged("client/pending/quiet", [], output=trace) is Status.WARN
    assert judged("client/pending/quiet", [], output=trace, exit_code=1) is Status.NOT_APPLICABLE


@pytest.mark.parametrize("release", ["0.7.0", "0.24.1", "0.38.0"])
def test_an_official_release_that_is_used_thoroughly_is_conformant(release: str) -> None:
    try:
        python, environment = process(release)
    except EnvironmentMissing as missing:
        pytest.skip(str(missing))
    situations = ("healthy", "guided", "paused")
    command = [python, str(THOROUGH)]
    found = audit_client(command, situations, timeout=300, environment=environment)
    said = {one.check: f"{one.message} {one.actual}" for one in found if one.status not in FINE}
    assert said == {}
    proved = {one.check for one in found if one.status is Status.PASS}
    assert proved >= {"client/understood/asked", "client/understood/told", "client/run/exit"}


def test_the_newest_release_refuses_mistakes() -> None:
    try:
        python, environment = process("0.38.0")
    except EnvironmentMissing as missing:
        pytest.skip(str(missing))
    command = [python, str(THOROUGH)]
    found = audit_client(command, ("mistaken",), timeout=300, environment=environment)
    told = {one.check: f"{one.status} {one.actual}" for one in found}["client/mistaken/told"]
    assert told.startswith(Status.PASS), told


def test_a_rule_for_later_releases_is_not_held_against_an_earlier_one() -> None:
    earlier = {"user-agent": "x/Python 0.16.1"}
    polls = [poll(1.0, 429)]
    polls[0].entry = {**polls[0].entry, "request_headers": earlier}
    assert judged("client/busy/polls-again", polls) is Status.NOT_APPLICABLE
    assert judged("client/busy/succeeds", polls, exit_code=1) is Status.NOT_APPLICABLE
