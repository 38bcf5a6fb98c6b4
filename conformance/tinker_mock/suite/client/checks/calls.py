"""Whether each call that a program made is what went out, once, in order, and what it was told."""

from itertools import pairwise
from typing import Any

from tinker_mock.suite.client.calls import Made, answer_of, calls_made, few, lanes, unclaimed
from tinker_mock.suite.client.fields import difference
from tinker_mock.suite.client.judging import judges, need
from tinker_mock.suite.client.traffic import Traffic
from tinker_mock.suite.core.verdict import expect

SILENT = "the program reports no call (TINKER_MOCK_REPORT)"
TROUBLED = ("pending", "unavailable", "throttled", "lost", "ill", "gone")
"""Situations in which every call succeeds in the end."""


def reported(traffic: Traffic) -> list[Made]:
    """The reported calls; Inapplicable without any."""
    found = calls_made(traffic)
    need(found, SILENT)
    return found


def asked(traffic: Traffic) -> None:
    """What was asked for is what was sent."""
    missing = (f"{one.name}: {one.nearest or 'never sent'}" for one in reported(traffic)
               if not one.became)  # fmt: skip
    gaps = few(missing)
    expect(not gaps, "each call is sent as the program made it", "its fields", gaps)


def told(traffic: Traffic) -> None:
    """What the program got is what the server told of that call."""
    made = [one for one in reported(traffic) if "told" in one.line and one.became]
    need(made, "no call's answer is reported")
    gaps = few(f"{one.name}{gap}" for one in made if (gap := misunderstood(traffic, one)))
    expect(not gaps, "each call's answer reaches the program", "as the journal has it", gaps)


def misunderstood(traffic: Traffic, made: Made) -> str:
    """How what was reported differs from the server's answer; empty if it does not."""
    said: Any = made.line["told"]
    truth = answer_of(traffic, made)
    metrics = said.get("metrics")
    lost = [name for name in truth.get("metrics") or {} if name.endswith(":sum")]
    lost = [name for name in lost if metrics is not None and name not in metrics]
    return f"/metrics: {', '.join(lost)} is lost" if lost else difference(said, truth)


def ordered(traffic: Traffic) -> None:
    """A model's operations have numbers in the order of the calls."""
    made = lanes(reported(traffic))
    need(made, "no model was trained")
    for lane in made.values():
        numbers = [(one.name, int(one.became[0].body.get("seq_id") or 0)) for one in lane]
        wrong = [f"{b[0]} before {a[0]}" for a, b in pairwise(numbers) if b[1] < a[1]]
        expect(
            not wrong, "operations are numbered in the order of the calls", "in order", wrong[:3]
        )


def nothing_else(traffic: Traffic) -> None:
    """Nothing is done twice, or that nobody asked for."""
    made = reported(traffic)
    need(lanes(made), "no model was trained")
    extra = few(f"{one.operation} {one.body.get('seq_id')}" for one in unclaimed(traffic, made))
    expect(not extra, "a model's operations are the calls of the program", "nothing else", extra)


def refusals(traffic: Traffic) -> None:
    refused = [one for one in reported(traffic) if one.refused]
    need(refused, "no error is reported")
    for one in refused:
        expect(one.became, f"{one.name}: the error is the server's", "a refusal", one.nearest)
        answer, said = answer_of(traffic, one), one.line["error"]
        words, text = words_of(answer), str(said.get("says"))
        kept = any(each in text for each in words)
        expect(kept, f"{one.name}: the server's words reach the user", words, text)
        for name, truth in (("status", one.became[0].status), ("category", answer.get("category"))):
            wrong = said.get(name) not in (None, truth)
            expect(not wrong or truth is None, f"{one.name}: its {name}", truth, said.get(name))


def words_of(answer: dict[str, Any]) -> list[str]:
    """What a refusal says, in each place where it may say it."""
    found = [answer.get(name) for name in ("detail", "error", "message")]
    return [str(one["message"] if isinstance(one, dict) and "message" in one else one)
            for one in found if one]  # fmt: skip


judges("client/understood/asked")(asked)
judges("client/understood/told")(told)
judges("client/understood/order")(ordered)
judges("client/understood/refusals")(refusals)
for situation in ("failed", "failing", "denied"):
    judges(f"client/{situation}/understood", situation)(refusals)
judges("client/understood/nothing-else")(nothing_else)
for situation in TROUBLED:
    judges(f"client/{situation}/told", situation)(told)
    judges(f"client/{situation}/asked", situation)(asked)
    judges(f"client/{situation}/nothing-else", situation)(nothing_else)
