"""A server that stops answering is named once, with what it was asked; others are not blamed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tinker_mock.contracts.ledger import Requirement
from tinker_mock.suite.core.http import Exchange, readable
from tinker_mock.suite.core.target import Target
from tinker_mock.suite.core.verdict import Status, Verdict

STALL_CHECK = "service/answers-meanwhile"
HOLD_CHECK = "futures/hold/within-45s"
SILENCE = 4.0
"""Seconds without any answer, while ordinary requests wait, that are no chance."""
HELD = ("retrieve_future", "retrieve_futures", "stream_sample")
"""Operations that a server may hold."""


@dataclass(frozen=True)
class Stall:
    """A time in which nothing was answered, and the request that it began with."""

    began: float
    ended: float
    first: Exchange

    def told(self) -> str:
        """One sentence for people."""
        operation = self.first.operation.id if self.first.operation else self.first.path
        seconds = self.ended - self.began
        return f"did not answer for {seconds:.0f} s during {operation}"

    def covers(self, moment: float) -> bool:
        """Whether a request of this moment waited in it."""
        return self.began - 1.0 <= moment <= self.ended


def find_stalls(sent: Sequence[Exchange]) -> list[Stall]:
    """The silences of a run, in order."""
    waiting = [
        one
        for one in sent
        if one.elapsed >= SILENCE and not (one.operation and one.operation.id in HELD)
    ]
    answers = sorted(one.started + one.elapsed for one in sent if one.status)
    stalls: list[Stall] = []
    for one in sorted(waiting, key=lambda exchange: exchange.started):
        until = one.started + one.elapsed
        inside = [moment for moment in answers if one.started + 0.1 < moment < until - 0.1]
        if inside or (stalls and stalls[-1].covers(one.started)):
            continue
        company = [other for other in waiting if other is not one and other.started < until]
        if company:
            ended = max([until, *(other.started + other.elapsed for other in company)])
            later = next((moment for moment in answers if moment >= until - 0.1), ended)
            stalls.append(Stall(one.started, min(ended, later), one))
    return stalls


def judge_holds(sent: Sequence[Exchange], verdicts: Sequence[Verdict], target: Target) -> None:
    """A poll anywhere in the run that was held longer than clients wait fails the rule of it."""
    for verdict in verdicts:
        for one in sent if verdict.check == HOLD_CHECK else ():
            polled = one.operation is not None and one.operation.id == "retrieve_future"
            if polled and "Timeout" in one.fault and one.elapsed >= target.long_poll:
                verdict.status, verdict.cause = Status.FAIL, ""
                verdict.message = "a poll is answered in time"
                verdict.expected = f"< {target.long_poll:.0f} s"
                verdict.actual = f"no answer for {one.elapsed:.0f} s"
                verdict.trace = [one.as_trace(one.started)]
                verdict.curl = one.as_curl(target.url)


def judge_stalls(
    sent: Sequence[Exchange],
    verdicts: Sequence[Verdict],
    rules: Mapping[str, Requirement],
    target: Target,
) -> Verdict:
    """The verdict on stalls; what waited in one without having caused it becomes not testable."""
    stalls = find_stalls(sent)
    verdict = Verdict(STALL_CHECK, rules[STALL_CHECK], Status.PASS, scenario="wire")
    if not stalls:
        return verdict
    longest = max(stalls, key=lambda stall: stall.ended - stall.began)
    verdict.status = Status.FAIL if verdict.level == "MUST" else Status.WARN
    verdict.message = "; ".join(stall.told() for stall in stalls[:4])
    verdict.expected = "other requests are answered meanwhile"
    verdict.actual = readable(longest.first.request_body)[:300]
    verdict.trace = [longest.first.as_trace(longest.first.started)]
    verdict.curl = longest.first.as_curl(target.url)
    for one in verdicts:
        held_up = [stall for stall in stalls if any(map(stall.covers, one.timeouts))]
        own = any(stall.first.started in one.timeouts for stall in held_up)
        if held_up and not own and one.status is Status.FAIL:
            one.status = Status.NOT_TESTABLE
            one.message = f"not testable: the server {held_up[0].told()} ({STALL_CHECK})"
    return verdict
