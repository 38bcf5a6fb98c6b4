"""One cause is one finding: what others need and lack is told once, by the nearest to it."""

import httpx
import pytest

from tinker_mock.contracts.ledger import requirement_of
from tinker_mock.suite.core.http import Exchange, Reply, Routes
from tinker_mock.suite.core.promises import Outcome
from tinker_mock.suite.core.target import Target
from tinker_mock.suite.core.verdict import Lacking, Status, Unmet, Verdict, judging
from tinker_mock.suite.server.causes import blame_once
from tinker_mock.suite.server.runner import run_server_suite
from tinker_mock.suite.server.wire_checks import NEVER, judge_operation, judge_wire

ROUTES, RULES = Routes("tinker"), requirement_of()
UNSUPPORTED = b'{"detail":"Sparse tensors are not supported"}'


def reply(operation: str, status: int, body: bytes, asked: str = "") -> Reply:
    known = ROUTES.operations[operation]
    sent = Exchange(0.0, "POST", known.path, {"x-tinker-request-type": asked}, b"{}", known)
    sent.status, sent.response_body = status, body
    sent.response_headers = {"content-type": "application/json"}
    return Reply(status, httpx.Headers(sent.response_headers), body, 0.1, operation, sent)


def found(check: str, unmet: Unmet) -> Verdict:
    verdict = Verdict(check, RULES[check], Status.PASS)
    with judging(verdict):
        raise unmet
    return verdict


def unmet_of(answer: Reply) -> Unmet:
    with pytest.raises(Unmet) as raised:
        answer.require()
    return raised.value


def told(*verdicts: Verdict) -> list[str]:
    blame_once([], verdicts, ROUTES.operations)
    return [one.check for one in verdicts if one.status is not Status.NOT_APPLICABLE]


def test_one_explanation_is_one_finding_whatever_was_asked() -> None:
    first = found("training/inputs/sparse", unmet_of(reply("forward", 400, UNSUPPORTED)))
    second = found(
        "protobuf/sparse/accepted", unmet_of(reply("forward_backward", 400, UNSUPPORTED))
    )
    assert told(first, second) == ["training/inputs/sparse"]
    assert "training/inputs/sparse says once" in second.message
    assert "checks that lack the same: 1" in first.message


def test_ids_in_an_explanation_do_not_make_it_another() -> None:
    first, second = (
        unmet_of(reply("forward", 400, b'{"detail":"model %s is gone"}' % name))
        for name in (b"6dfd7d55-aaaa", b"12")
    )
    lacks = found("training/forward/repeatable", first), found("training/inputs/sparse", second)
    assert len(told(*lacks)) == 1


@pytest.mark.parametrize(
    ("status", "text"),
    [
        (500, b"Internal Server Error"),
        (409, b'{"detail":"expected 1, got 2: out of order"}'),
        (404, b'{"detail":"Not Found"}'),
        (400, b""),
    ],
)
def test_what_explains_nothing_or_depends_on_the_past_is_a_case_of_its_own(
    status: int, text: bytes
) -> None:
    first = found("training/inputs/sparse", unmet_of(reply("forward", status, text)))
    second = found("training/forward/repeatable", unmet_of(reply("forward", status, text)))
    assert len(told(first, second)) == 2


def test_a_part_of_an_answer_that_is_missing_is_told_by_the_contract() -> None:
    answer = reply("create_sampling_session", 200, b'{"request_id":"r"}')
    lacks = []
    for check in ("service/unknown-fields/everywhere", "sampling/session/id"):
        with pytest.raises(Lacking) as raised:
            answer.at("/sampling_session_id")
        lacks.append(found(check, raised.value))
    sent = answer.exchange
    sent.blame_target = ["/sampling_session_id required: it is missing"]
    wire = judge_operation(
        "sampling/wire/create_sampling_session",
        RULES["sampling/wire/create_sampling_session"],
        [sent],
        Target("http://x"),
    )
    assert told(*lacks, wire) == ["sampling/session/id"]


def test_results_of_different_operations_lack_different_things() -> None:
    causes = set()
    for asked in ("Forward", "Sample"):
        outcome = Outcome(reply("retrieve_future", 200, b"{}", asked), {})
        with pytest.raises(Lacking) as raised:
            outcome.at("/metrics")
        causes.add(raised.value.cause)
    assert len(causes) == 2


def test_an_operation_that_is_always_refused_is_told_by_its_own_check() -> None:
    refused = reply("unload_model", 422, b'{"detail":"model_id: field required in the query"}')
    own = found("models/unload/promise", unmet_of(refused))
    wire = judge_wire([refused.exchange], ROUTES, RULES, Target("http://x"))
    never = next(one for one in wire if one.check == "models/wire/unload_model")
    assert never.status.value in ("not-testable", "warn")
    assert told(own, never) == ["models/unload/promise"]


def test_what_was_not_asked_in_time_is_not_called_refused() -> None:
    refused = reply("load_weights", 404, b'{"detail":"Not Found, and no wonder"}')
    wire = judge_wire([refused.exchange, refused.exchange], ROUTES, RULES, Target("http://x"))
    never = next(one for one in wire if one.check == "weights/wire/load_weights")
    never.status, never.message = Status.NOT_TESTABLE, NEVER
    late = Verdict("weights/load/restores", RULES["weights/load/restores"], Status.NOT_JUDGED)
    blame_once([], [late, never], ROUTES.operations)
    assert never.status is Status.NOT_JUDGED


def test_a_server_that_is_gone_is_one_finding() -> None:
    gone = Target("http://127.0.0.1:1", timeout=2.0, base_model="m")
    run = run_server_suite(gone, ("sessions", "models/create"))
    (told,) = run.bad
    assert "the server takes connections" in told.message
    assert "Connection refused" in f"{told.message} {told.actual}"


def test_a_finding_without_a_common_cause_stays() -> None:
    first = found("training/inputs/sparse", Unmet("numbers differ", 1, 2))
    second = found("training/forward/repeatable", Unmet("numbers differ", 1, 2))
    assert len(told(first, second)) == 2
