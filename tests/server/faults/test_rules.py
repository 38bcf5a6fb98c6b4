"""Rules: who is hit, how often, and that chance is a function of seed and request."""

import textwrap
from typing import Any

import pytest

from tinker_mock.server.effects import words
from tinker_mock.server.faults.rules import Rule, Subject
from tinker_mock.server.scenarios.scenario import read_scenario

OPERATIONS = ["asample", "forward_backward", "optim_step", "retrieve_future"]


def rule(text: str) -> Rule:
    body = textwrap.indent(textwrap.dedent(text).strip(), "    ")
    return read_scenario("rules:\n  -\n" + body, "test.yaml", OPERATIONS).rules[0]


def hits(rule: Rule, subjects: list[Subject], seed: int = 0) -> list[str]:
    steps = [rule.step_for(subject, seed) for subject in subjects]
    return ["" if step is None else words(step) for step in steps]


def sample(identity: str = "a", **more: Any) -> Subject:
    return Subject("asample", identity, **more)


def test_all_conditions_must_hold() -> None:
    matching = rule(
        "match: {operation: 'asam*', model: 'Q*', client: 'tinker 0.1?.*'}\neffects: drop"
    )
    subjects = [
        sample(models=("Qwen",), client="tinker 0.16.1"),
        sample(models=("Llama",), client="tinker 0.16.1"),
        sample(models=("Qwen",), client="tinker 0.24.1"),
        Subject("optim_step", "a", models=("Qwen",), client="tinker 0.16.1"),
    ]
    assert hits(matching, subjects) == ["drop", "", "", ""]


def test_nth_every_and_times() -> None:
    subjects = [sample()] * 6
    nth = rule("match: {nth: [2, 5]}\neffects: drop")
    assert hits(nth, subjects) == ["", "drop", "", "", "drop", ""]
    every = rule("match: {every: 3}\neffects: drop")
    assert hits(every, subjects) == ["", "", "drop", "", "", "drop"]
    assert hits(rule("effects: drop\ntimes: 2"), subjects) == ["drop", "drop", "", "", "", ""]


def test_effects_take_turns() -> None:
    turns = rule("effects: [drop, return-503+stall-1s]")
    assert hits(turns, [sample()] * 3) == ["drop", "return-503+stall-1s", "drop"]


@pytest.mark.parametrize(
    ("scope", "expected"),
    [
        ("all", ["drop", "", "", ""]),
        ("request", ["drop", "", "drop", ""]),
        ("client", ["drop", "", "", "drop"]),
    ],
)
def test_counting_scopes(scope: str, expected: list[str]) -> None:
    counting = rule(f"match: {{nth: 1, scope: {scope}}}\neffects: drop")
    one, other = sample("a", tenant="t1"), sample("b", tenant="t1")
    stranger = sample("b", tenant="t2")
    assert hits(counting, [one, one, other, stranger]) == expected


def test_the_promise_behind_a_poll_counts() -> None:
    polls = rule("match: {operation: retrieve_future, promise: asample}\neffects: expire-promise")
    subjects = [Subject("retrieve_future", "p", promise=p) for p in ("asample", "optim_step", "")]
    assert hits(polls, subjects) == ["expire-promise", "", ""]


def test_chance_depends_on_seed_and_request_and_not_on_order() -> None:
    text = "match: {chance: 0.3}\neffects: drop"
    subjects = [sample(f"request {n}") for n in range(2000)]
    first = hits(rule(text), subjects)
    assert hits(rule(text), subjects) == first
    assert hits(rule(text), subjects[::-1])[::-1] == first
    assert hits(rule(text), subjects, seed=1) != first
    assert 0.27 < first.count("drop") / 2000 < 0.33


def test_a_retry_has_another_chance() -> None:
    retries = rule("match: {chance: 0.5}\neffects: drop")
    assert set(hits(retries, [sample()] * 40)) == {"", "drop"}
