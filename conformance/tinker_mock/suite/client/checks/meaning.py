"""Whether what a program meant is what was sent, and what was answered is what it got."""

from typing import Any

from tinker_mock.suite.client.checks.understanding import said
from tinker_mock.suite.client.failures import failures
from tinker_mock.suite.client.judging import judges, need
from tinker_mock.suite.client.likeness import gaps, paired
from tinker_mock.suite.client.report import Line
from tinker_mock.suite.client.traffic import RecordedExchange, Traffic
from tinker_mock.suite.core.verdict import expect


def nearest(found: list[list[str]]) -> str:
    """How the candidate that has most of it differs, for people."""
    best = min(found, key=len, default=["no such request was taken"])
    return "; ".join(best[:3])


def unsaid(line: Line, exchange: RecordedExchange) -> list[str]:
    """What a request lacks of what the line meant, or says against what is usual."""
    usual = thinned(line.get("usual") or {}, exchange.asked)
    return [*gaps(line["fields"], exchange.asked), *gaps(usual, exchange.asked)]


def thinned(usual: Any, have: Any) -> Any:
    """The usual values without those that were left out."""
    if isinstance(usual, dict) and isinstance(have, dict):
        told = {name: value for name, value in usual.items() if have.get(name) is not None}
        return {name: thinned(value, have[name]) for name, value in told.items()}
    return usual


def once(taken: list[RecordedExchange]) -> list[RecordedExchange]:
    """Each numbered piece of work once, however often it was sent."""
    numbered = {one.identity if one.identity[-1] is not None else id(one): one for one in taken}
    return list(numbered.values())


@judges("client/understood/asked")
def asked(traffic: Traffic) -> None:
    lines = said(traffic, "asked")
    for operation in {line["operation"] for line in lines}:
        wants = [line for line in lines if line["operation"] == operation]
        taken = once(traffic.taken(operation))
        fitting = {
            place: [n for n, one in enumerate(taken) if not unsaid(line, one)]
            for place, line in enumerate(wants)
        }
        met = paired(wants, fitting)
        for place, line in enumerate(wants):
            if place not in met:
                alone = not fitting[place]
                near = nearest([unsaid(line, one) for one in taken])
                told = near if alone else "fewer such requests than were meant"
                expect(False, f"{operation} says what the program meant", line["fields"], told)


@judges("client/understood/told")
def told(traffic: Traffic) -> None:
    for line in said(traffic, "told"):
        operation, of = line["operation"], line.get("of") or {}
        answers = [
            traffic.outcome(one)
            for one in traffic.taken(operation)
            if not list(gaps(of, one.asked))
        ]
        fits = any(not list(gaps(line["fields"], answer)) for answer in answers)
        near = "" if fits else nearest([list(gaps(line["fields"], one)) for one in answers])
        expect(fits, f"the program gets what {operation} was answered", "as it came", near)


@judges("client/failing/error", "failing")
@judges("client/failed/error", "failed")
@judges("client/denied/error", "denied")
def errors(traffic: Traffic) -> None:
    for line in said(traffic, "error"):
        operation = line["operation"]
        failed = [one for one in failures(traffic) if one.work == operation]
        need(failed, f"{operation} did not fail")
        meant = [one for one in failed if any(text in line["says"] for text in one.words)]
        words = [sorted(one.words) for one in failed][:3]
        expect(meant, f"{operation}: the server's words reach the program", words, line["says"])
        if line.get("status") is not None:
            known = {one.status for one in meant}
            expect(line["status"] in known, f"{operation}: the status", known, line["status"])
        if line.get("category") is not None:
            blamed = {one.category for one in meant} - {None}
            fits = not blamed or line["category"] in blamed
            expect(fits, f"{operation}: who is to blame", blamed, line["category"])
