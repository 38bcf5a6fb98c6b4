"""Latency profiles: shipped ones load, draws are repeatable and have the promised shape."""

import statistics

import pytest

from tinker_mock.server.queues.latency import Cost, named_profile, profile_names, read_profile
from tinker_mock.server.yaml_section import ScenarioError


@pytest.mark.parametrize("name", profile_names())
def test_shipped_profiles_load_and_cost_something(name: str) -> None:
    profile = named_profile(name)
    assert profile.summary
    assert profile.seconds("asample", 100, 10, 0, "id") > 0
    assert profile.seconds("forward_backward", 100, 0, 0, "id") > 0


def test_the_same_request_takes_the_same_time() -> None:
    heavy = named_profile("heavy")
    assert heavy.seconds("asample", 5, 5, 1, "a") == heavy.seconds("asample", 5, 5, 1, "a")
    assert heavy.seconds("asample", 5, 5, 1, "a") != heavy.seconds("asample", 5, 5, 1, "b")


def test_spreads_keep_their_centre_and_their_limits() -> None:
    draws = [i / 1000 + 0.0005 for i in range(1000)]
    normal = [Cost(2.0, "normal", 0.5).seconds(c, 0, 0) for c in draws]
    assert abs(statistics.mean(normal) - 2.0) < 0.01
    assert min(normal) >= 0.6 - 1e-9
    assert max(normal) <= 3.4 + 1e-9
    heavy = [Cost(2.0, "log-normal", 0.5).seconds(c, 0, 0) for c in draws]
    assert abs(statistics.median(heavy) - 2.0) < 0.01
    assert max(heavy) > 6
    assert min(heavy) > 0


def test_tokens_are_added() -> None:
    cost = Cost(1.0, per_prompt_token=0.001, per_token=0.01)
    assert cost.seconds(0.5, 1000, 50) == pytest.approx(1.0 + 1.0 + 0.5)


def test_a_wrong_profile_names_the_line() -> None:
    with pytest.raises(ScenarioError, match=r"mine:2: costs\[0\].spread: must be one of fixed"):
        read_profile("costs:\n  - {operation: '*', spread: flat}\n", "mine")
