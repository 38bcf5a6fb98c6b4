"""One check per operation: every answer it gave during the run fits the contract."""

import re
from collections.abc import Mapping, Sequence

from tinker_mock.contracts import Operation
from tinker_mock.contracts.ledger import Requirement
from tinker_mock.suite.core.http import Exchange, Routes
from tinker_mock.suite.core.target import Target
from tinker_mock.suite.core.verdict import MOMENT, Status, Verdict

MISSING = (404, 405, 501)
NEVER = "the operation never answered 2xx"


REQUIRED = re.compile(r"(/\S+) required: ")


def wire_check(operation: Operation) -> str:
    """The check id of an operation's answers."""
    return f"{operation.chapter}/wire/{operation.id}"


def judge_wire(
    sent: Sequence[Exchange], routes: Routes, rules: Mapping[str, Requirement], target: Target
) -> list[Verdict]:
    """A verdict for each operation that the ledger knows a wire check for."""
    by_operation: dict[str, list[Exchange]] = {}
    for exchange in sent:
        if exchange.operation:
            by_operation.setdefault(exchange.operation.id, []).append(exchange)
    verdicts = []
    for operation in routes.operations.values():
        name = wire_check(operation)
        if name in rules:
            seen = by_operation.get(operation.id, [])
            verdicts.append(judge_operation(name, rules[name], seen, target))
    return verdicts


def judge_operation(
    name: str, rule: Requirement, seen: Sequence[Exchange], target: Target
) -> Verdict:
    """Fail on the first answer outside the contract; not testable without a 2xx answer."""
    if not target.applies(rule) or (target.read_only and not seen):
        return Verdict(name, rule, Status.NOT_APPLICABLE, "not exercised", scenario="wire")
    for exchange in seen:
        if exchange.blame_target:
            verdict = Verdict(name, rule, Status.FAIL, scenario="wire")
            verdict.message = "an answer breaks the contract"
            verdict.expected = "an answer as the contract describes it"
            verdict.actual = f"{exchange.status}: " + "; ".join(exchange.blame_target[:4])
            field = REQUIRED.match(exchange.blame_target[0])
            verdict.ended_at = name.rpartition("/")[2]
            if "date-time" in exchange.blame_target[0]:
                verdict.cause = MOMENT
            elif field:
                verdict.cause = f"{verdict.ended_at}: the body has {field[1]}"
            verdict.trace = [exchange.as_trace(exchange.started)]
            verdict.curl = exchange.as_curl(target.url)
            return verdict
    if any(200 <= exchange.status < 400 for exchange in seen):
        return Verdict(name, rule, Status.PASS, scenario="wire")
    if target.read_only:
        return Verdict(name, rule, Status.NOT_APPLICABLE, "not exercised", scenario="wire")
    if seen and all(exchange.status in MISSING for exchange in seen):
        told = "the operation is missing, which its own checks say"
        return Verdict(name, rule, Status.NOT_APPLICABLE, told, scenario="wire")
    if not seen:
        told = "nothing came so far as to ask for it, which the checks before it say"
        return Verdict(name, rule, Status.NOT_APPLICABLE, told, scenario="wire")
    status = Status.NOT_TESTABLE if rule.level == "MUST" else Status.WARN
    verdict = Verdict(name, rule, status, NEVER, scenario="wire")
    verdict.ended_at = name.rpartition("/")[2]
    verdict.expected = "a 2xx answer"
    verdict.actual = ", ".join(sorted({str(one.status or one.fault) for one in seen}))
    verdict.trace = [one.as_trace(one.started) for one in list(seen)[:1]]
    return verdict
