"""Whether a program understood what it was told: its report against the journal."""

from collections import Counter
from typing import Any

from tinker_mock.suite.client.calls import PASSES
from tinker_mock.suite.client.fields import CLOSE
from tinker_mock.suite.client.judging import judges, need
from tinker_mock.suite.client.report import KINDS, Line
from tinker_mock.suite.client.traffic import RecordedExchange, Traffic
from tinker_mock.suite.core.verdict import expect, expect_equal

CALM = 60.0
"""Seconds for which a client says nothing more of the same pause."""


def said(traffic: Traffic, kind: str) -> list[Line]:
    """The report's lines of a kind; Inapplicable without any."""
    found = [line for line in traffic.report if line["value"] == kind]
    need(found, f"the program reports no {kind} (TINKER_MOCK_REPORT)")
    return found


def in_order(traffic: Traffic) -> list[RecordedExchange]:
    """The passes that were taken, by model and number: the order in which they were meant."""
    taken = {one.identity: one for one in traffic.of(*PASSES) if one.ok}
    return sorted(taken.values(), key=lambda one: (one.body.get("model_id", ""), number_of(one)))


def number_of(exchange: RecordedExchange) -> int:
    return int(exchange.body.get("seq_id") or 0)


def targets_of(exchange: RecordedExchange) -> list[list[int]]:
    """The targets of each datum of a pass, as they were sent."""
    work = exchange.body.get("forward_backward_input") or exchange.body.get("forward_input") or {}
    return [
        [int(token) for token in datum["loss_fn_inputs"]["target_tokens"]["data"]]
        for datum in work.get("data") or ()
    ]


def close(left: Any, right: Any) -> bool:
    """Whether two values are equal, numbers as float32 are."""
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(close, left, right))
    if isinstance(left, int | float) and isinstance(right, int | float):
        return abs(left - right) <= CLOSE * max(1.0, abs(left), abs(right))
    return bool(left == right)


def first_gap(left: list[Any], right: list[Any]) -> str:
    """Where two lists differ, for people."""
    if len(left) != len(right):
        return f"{len(left)} instead of {len(right)}"
    place = next((n for n, pair in enumerate(zip(left, right, strict=True)) if not close(*pair)), 0)
    return f"number {place}: {left[place]} instead of {right[place]}"


def expect_same(reported: list[Any], journal: list[Any], message: str) -> None:
    """Unmet unless the report says what the journal has."""
    same = close(reported, journal)
    expect(same, message, "as the journal has it", "" if same else first_gap(reported, journal))


@judges("client/understood/form")
def form(traffic: Traffic) -> None:
    need(traffic.report, "the program reports nothing (TINKER_MOCK_REPORT)")
    broken = [line["line"] for line in traffic.report if line["value"] == "broken"]
    expect(not broken, "each line is a JSON object of a known value", KINDS, broken[:3])


@judges("client/understood/sent")
def sent(traffic: Traffic) -> None:
    meant = [datum for line in said(traffic, "sent") for datum in line["data"]]
    went = [datum for one in in_order(traffic) for datum in targets_of(one)]
    expect_same(meant, went, "data are sent as they were given, in their order")


@judges("client/understood/logprobs")
def logprobs(traffic: Traffic) -> None:
    got = [datum for line in said(traffic, "logprobs") for datum in line["data"]]
    told = [
        [float(value) for value in output["logprobs"]["data"]]
        for one in in_order(traffic)
        for output in traffic.result(one).get("loss_fn_outputs") or ()
    ]
    expect_same(got, told, "each datum's log-probabilities, in the order of the data")


@judges("client/understood/loss")
def loss(traffic: Traffic) -> None:
    got = sum(float(line["sum"]) for line in said(traffic, "loss"))
    metrics = [traffic.result(one).get("metrics") or {} for one in in_order(traffic)]
    told = sum(float(one.get("loss:sum", 0.0)) for one in metrics)
    expect(close(got, told), "loss:sum is added up over the requests of a call", told, got)


def drawn(traffic: Traffic, seed: int) -> dict[str, Any]:
    """The result of the sample with a seed; empty if there is none."""
    asked = [
        one
        for one in traffic.of("asample")
        if one.ok and (one.body.get("sampling_params") or {}).get("seed") == seed
    ]
    return traffic.result(asked[-1]) if asked else {}


@judges("client/understood/samples")
def samples(traffic: Traffic) -> None:
    for line in said(traffic, "sample"):
        sequences = drawn(traffic, line["seed"]).get("sequences") or []
        for name in ("tokens", "logprobs"):
            if name in line:
                told = [list(one.get(name) or ()) for one in sequences]
                expect_same(line[name], told, f"{name} of the sample with seed {line['seed']}")
        if "stop_reasons" in line:
            told = [one.get("stop_reason") for one in sequences]
            expect_equal(line["stop_reasons"], told, "why each sequence ended")


@judges("client/understood/prompt-logprobs")
def prompt_logprobs(traffic: Traffic) -> None:
    for line in said(traffic, "prompt_logprobs"):
        told = list(drawn(traffic, line["seed"]).get("prompt_logprobs") or ())
        expect_same(line["logprobs"], told, "an entry for each token, none for the first")


@judges("client/understood/queue", "paused")
def queue(traffic: Traffic) -> None:
    need(traffic.report, "the program reports nothing (TINKER_MOCK_REPORT)")
    held = [one for one in traffic.polls if one.status == 408]
    need(held, "nothing was held up")
    text = " ".join(str(line.get("says")) for line in traffic.report if line["value"] == "queue")
    expect("capacity" in text.lower(), "a queue that stands still is told", "paused_capacity", text)


@judges("client/understood/queue-calm", "paused")
def queue_calm(traffic: Traffic) -> None:
    logged = [line for line in traffic.report if line["value"] == "queue" and line.get("logged")]
    lines = [str(line.get("says")) for line in logged]
    need(lines, "the program reports nothing that was logged of queues (TINKER_MOCK_REPORT)")
    need(traffic.seconds < CALM, "the run was longer than a minute")
    twice = [text for text, times in Counter(lines).items() if times > 1]
    expect(not twice, "the same pause is told once a minute at most", "once", twice[:2])
