"""An operation that a server lacks is one finding, whatever else needs it."""

from collections.abc import Sequence

from tinker_mock.suite.core.http import Exchange
from tinker_mock.suite.core.verdict import Status, Verdict
from tinker_mock.suite.server.wire_checks import MISSING

UNMET = (Status.FAIL, Status.WARN, Status.NOT_TESTABLE)


def missing_operations(sent: Sequence[Exchange]) -> set[str]:
    """The operations that were never answered but by the statuses of what is not there."""
    statuses: dict[str, set[int]] = {}
    for one in sent:
        if one.operation and one.status:
            statuses.setdefault(one.operation.id, set()).add(one.status)
    return {name for name, seen in statuses.items() if seen <= set(MISSING)}


def blame_once(sent: Sequence[Exchange], verdicts: Sequence[Verdict]) -> None:
    """Of the verdicts that ended at a missing operation the gravest and first stays and names it;
    the others do not apply."""
    missing = missing_operations(sent)
    first: dict[str, Verdict] = {}
    ended = [one for one in verdicts if one.status in UNMET and one.ended_at in missing]
    for one in sorted(ended, key=lambda verdict: not verdict.status.bad):
        if one.ended_at not in first:
            first[one.ended_at] = one
            one.message = f"the operation {one.ended_at} is missing: {one.message}"
        else:
            said = first[one.ended_at].check
            one.status = Status.NOT_APPLICABLE
            one.message = f"{one.ended_at} is missing, which {said} says once"
