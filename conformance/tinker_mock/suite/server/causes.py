"""One cause is one finding: an operation that a server lacks, or a part of an answer that others
need, is told once, whatever else needs it."""

from collections.abc import Mapping, Sequence

from tinker_mock.contracts import Operation
from tinker_mock.suite.core.http import Exchange
from tinker_mock.suite.core.verdict import Status, Verdict
from tinker_mock.suite.server.wire_checks import MISSING, NEVER

UNMET = (Status.FAIL, Status.WARN, Status.NOT_TESTABLE)


def missing_operations(sent: Sequence[Exchange]) -> set[str]:
    """The operations that were never answered but by the statuses of what is not there."""
    statuses: dict[str, set[int]] = {}
    for one in sent:
        if one.operation and one.status:
            statuses.setdefault(one.operation.id, set()).add(one.status)
    return {name for name, seen in statuses.items() if seen <= set(MISSING)}


def blame_once(
    sent: Sequence[Exchange], verdicts: Sequence[Verdict], operations: Mapping[str, Operation]
) -> None:
    """Of the verdicts that lacked the same thing the gravest and nearest stays and names it; the
    others do not apply."""
    missing = missing_operations(sent)
    groups: dict[str, list[Verdict]] = {}
    for one in verdicts:
        absent = one.ended_at in missing
        cause = one.ended_at if absent else one.cause
        if cause and one.status in UNMET:
            one.cause = cause
            groups.setdefault(cause, []).append(one)
    refused = {
        one.ended_at: one.check for one in verdicts if one.status in UNMET and one.message != NEVER
    }
    late = any(one.status is Status.NOT_JUDGED for one in verdicts)
    for one in verdicts:
        if one.message == NEVER and one.status in UNMET and one.ended_at in refused:
            one.status, one.message = Status.NOT_APPLICABLE, f"{refused[one.ended_at]} says so"
        elif one.message == NEVER and one.status in UNMET and late:
            one.status, one.message = Status.NOT_JUDGED, "what it takes was not asked in time"
    for cause, group in groups.items():
        said = min(group, key=lambda one: distance(one, operations))
        others = [one for one in group if one is not said]
        what = f"the operation {cause} is missing" if cause in missing else said.message
        if cause in missing:
            said.message = f"{what}: {said.message}"
        if others:
            said.message += f" (checks that lack the same: {len(others)})"
        for one in others:
            one.status, one.expected, one.actual = Status.NOT_APPLICABLE, "", ""
            one.message = f"{said.check} says once: {what}"


def distance(verdict: Verdict, operations: Mapping[str, Operation]) -> tuple[bool, bool, bool]:
    """How far a verdict is from being the one to tell: grave ones first, then those of the
    operation's own chapter, then failures."""
    operation = operations.get(verdict.ended_at)
    elsewhere = operation is not None and operation.chapter != verdict.requirement.chapter
    return (not verdict.status.bad, elsewhere, verdict.status is not Status.FAIL)
