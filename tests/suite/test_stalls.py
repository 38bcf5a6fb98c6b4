"""A server that blocks is named with what it was asked, and nobody else is blamed."""

from tinker_mock.contracts.ledger import requirement_of
from tinker_mock.suite.core.http import Exchange, Routes
from tinker_mock.suite.core.target import Target
from tinker_mock.suite.core.verdict import Status, Verdict
from tinker_mock.suite.server.stalls import STALL_CHECK, find_stalls, judge_holds, judge_stalls

ROUTES = Routes("tinker")


def exchange(operation: str, started: float, took: float, status: int = 200) -> Exchange:
    known = ROUTES.operations[operation]
    fault = "" if status else "ReadTimeout: timed out"
    return Exchange(
        started, "POST", known.path, {}, b"{}", known, status, elapsed=took, fault=fault
    )


BLOCKED = [
    exchange("create_session", 0.0, 0.1),
    exchange("create_model", 1.0, 10.0, 0),
    exchange("create_session", 1.5, 10.0, 0),
    exchange("asample", 2.0, 10.0, 0),
    exchange("create_session", 28.0, 0.1),
]


def test_a_silence_is_named_by_the_request_that_it_began_with() -> None:
    (stall,) = find_stalls(BLOCKED)
    assert stall.first is BLOCKED[1]
    assert stall.told() == "did not answer for 11 s during create_model"


def test_a_slow_answer_beside_quick_ones_is_no_stall() -> None:
    busy = [
        exchange("create_model", 1.0, 9.0),
        exchange("create_session", 2.0, 5.0),
        exchange("create_session", 4.0, 0.1),
        exchange("create_session", 6.5, 0.1),
    ]
    assert find_stalls(busy) == []


def test_a_poll_held_too_long_anywhere_fails_the_rule_of_it() -> None:
    rule = requirement_of()["futures/hold/within-45s"]
    for took, expected in ((45.1, Status.FAIL), (10.0, Status.PASS)):
        verdict = Verdict(rule.id, rule, Status.PASS)
        polled = exchange("retrieve_future", 3.0, took, 0)
        judge_holds([polled], [verdict], Target("http://x"))
        assert verdict.status is expected


def test_polls_may_be_held() -> None:
    polls = [exchange("retrieve_future", 1.0, 30.0), exchange("retrieve_future", 1.1, 30.0)]
    assert find_stalls(polls) == []


def test_who_waited_is_not_blamed() -> None:
    rule = requirement_of()["sessions/create/id"]
    victim = Verdict("sessions/create/id", rule, Status.FAIL, timeouts=[1.5])
    culprit = Verdict("models/create/promise", rule, Status.FAIL, timeouts=[1.0])
    found = judge_stalls(BLOCKED, [victim, culprit], requirement_of(), Target("http://x"))
    assert (found.check, found.status) == (STALL_CHECK, Status.WARN)
    assert "create_model" in found.message
    assert victim.status is Status.NOT_TESTABLE
    assert "create_model" in victim.message
    assert culprit.status is Status.FAIL
