"""Scenarios are read key by key; a wrong one is refused with line and reason."""

import re
import textwrap

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from tinker_mock.server.scenarios.scenario import Scenario, load_scenario, read_scenario
from tinker_mock.server.yaml_section import ScenarioError

OPERATIONS = ["asample", "forward_backward", "forward", "retrieve_future"]


def read(text: str) -> Scenario:
    return read_scenario(textwrap.dedent(text).lstrip(), "mine.yaml", OPERATIONS)


def test_a_full_scenario() -> None:
    scenario = read(
        """
        summary: everything at once
        queue:
          completion:
            - {operation: "forward*", after: 2s}
            - {operation: asample, polls: 3, latency: quick}
          capacity: [{model: "Qwen/*", workers: 2, cold_start: 30s}]
          rate_limits: [{operation: asample, requests: 10, per: 1s, mode: pause}]
          billing_pause: {after_requests: 5, for: 20s}
          retention: 1h
        rules:
          - match: {operation: retrieve_future, nth: [1, 3], scope: request}
            effects: [try-again-x2, return-503]
            times: 4
        """
    )
    assert (scenario.name, scenario.summary) == ("mine", "everything at once")
    assert scenario.queue.completion_for("forward_backward", "any").after == 2
    assert scenario.queue.completion_for("asample", "any").polls == 3
    assert scenario.queue.completion_for("optim_step", "any").after == 0
    capacity = scenario.queue.capacity_for("Qwen/Qwen3-8B")
    assert capacity is not None
    assert (capacity.workers, capacity.cold_start) == (2, 30)
    assert scenario.queue.capacity_for("Llama") is None
    assert scenario.queue.retention == 3600
    assert [rule.name for rule in scenario.rules] == ["rule-1"]
    assert len(scenario.rules[0].steps) == 3


@pytest.mark.parametrize(
    ("text", "line", "reason"),
    [
        ("- a list", 1, "must be a mapping, got list"),
        ("summary: [", 1, "is no YAML"),
        ("summary: x\nspeed: 3", 2, "unknown key; known: name, summary, queue, rules"),
        ("summary: x\nqueue:\n  retention: soon", 3, "must be a time such as 250ms, 2s"),
        ("queue:\n  capacity:\n    - {model: a}", 3, "workers: is required"),
        ("queue:\n  rate_limits:\n    - {requests: 0, per: 1s}", 3, "at least 1, got 0"),
        ("queue:\n  completion:\n    - {latency: warp}", 3, "no profile 'warp'; there are heavy"),
        ("rules:\n  - effects: boom", 2, "'boom' is no effect"),
        ("rules:\n  - match: {}\n    effects: drop\n  - effects: []", 4, "non-empty list"),
        ("rules:\n  - match:\n      operation: fly\n    effects: drop", 3, "no operation matches"),
        ("rules:\n  - match: {nth: 0}\n    effects: drop", 2, "must be a number from 1"),
        ("rules:\n  - match: {chance: 2}\n    effects: drop", 2, "between 0 and 1, got 2"),
        ("rules:\n  - effects: expire-promise", 2, "acts on retrieve_future only"),
        ("rules:\n  - {name: a, effects: drop}\n  - {name: a, effects: drop}", 1, "two rules"),
    ],
)
def test_a_wrong_scenario_is_refused_with_line_and_reason(
    text: str, line: int, reason: str
) -> None:
    with pytest.raises(ScenarioError) as refusal:
        read(text)
    assert str(refusal.value).startswith(f"mine.yaml:{line}: ")
    assert reason in str(refusal.value)


def test_an_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(ScenarioError, match="neither a YAML file nor one of"):
        load_scenario("sunny", OPERATIONS)


WORDS = [*["drop", "try-again-x2", "cut-after-1k", "1s", "asample", "forward*"], "reject", "quick"]
LEAVES = st.none() | st.booleans() | st.integers(-2, 9) | st.floats(0, 2) | st.sampled_from(WORDS)
VALUES = LEAVES | st.lists(LEAVES, max_size=3) | st.dictionaries(st.sampled_from(WORDS), LEAVES)


def mappings(*keys: str, **more: st.SearchStrategy[object]) -> st.SearchStrategy[object]:
    """Mappings with some of these keys, now and then with one that is none, to odd values."""
    known = dict.fromkeys(keys, VALUES) | more
    right = st.fixed_dictionaries({}, optional=known)
    return right | st.dictionaries(st.sampled_from(["colour", *known]) | st.integers(), VALUES)


MATCHES = mappings("operation", "model", "client", "promise", "nth", "every", "chance", "scope")
EFFECTS = VALUES | st.lists(mappings("return", "body", "headers") | VALUES, max_size=3)
RULES = mappings("name", "times", match=MATCHES, effects=EFFECTS)
QUEUES = mappings(
    "retention",
    "session_timeout",
    completion=st.lists(mappings("operation", "model", "after", "polls", "manual", "latency")),
    capacity=st.lists(mappings("model", "workers", "cold_start")),
    rate_limits=st.lists(mappings("operation", "requests", "per", "mode")),
    billing_pause=mappings("after_requests", "for"),
)


def outcome(document: object) -> str:
    try:
        read_scenario(yaml.safe_dump(document), "any.yaml", OPERATIONS)
    except ScenarioError as refusal:
        return str(refusal)
    return ""


@settings(max_examples=120, deadline=None)
@given(mappings("summary", "name", rules=st.lists(RULES, max_size=3), queue=QUEUES))
def test_whatever_is_written_there_is_a_scenario_or_a_reason(document: object) -> None:
    assert re.match(r"any\.yaml:\d+: .+: .+|$", outcome(document))
