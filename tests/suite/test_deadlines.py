"""A scenario has a share of the run's time: what is slow costs its own checks, and is named."""

import time
from dataclasses import replace

import pytest

from tests.suite.conftest import target
from tinker_mock.contracts.ledger import requirement_of
from tinker_mock.suite.core.context import ScenarioContext
from tinker_mock.suite.core.deadline import (
    LEAST,
    Deadline,
    cleaning_until,
    deadline_of,
    fair,
    share_of,
)
from tinker_mock.suite.core.http import Exchange, RecordingClient, Routes
from tinker_mock.suite.core.results import Run
from tinker_mock.suite.core.target import Target
from tinker_mock.suite.core.verdict import OutOfTime, Status, Verdict
from tinker_mock.suite.server import runner
from tinker_mock.suite.server.runner import load_scenarios, play_scenario
from tinker_mock.suite.server.scenario import Scenario

ROUTES = Routes("tinker")


def test_a_scenario_gets_a_tenth_of_the_run_and_not_too_little() -> None:
    assert share_of(600.0) == 60.0
    assert share_of(10.0) == LEAST


def test_the_earlier_end_counts() -> None:
    now = time.monotonic()
    plain = Target("http://127.0.0.1:1")
    assert deadline_of(plain) is None
    assert cleaning_until(plain) is None
    ends = deadline_of(replace(plain, deadline=now + 5.0, share=60.0))
    assert ends is not None
    assert "the run's budget" in ends.over
    ends = deadline_of(replace(plain, deadline=now + 500.0, share=60.0))
    assert ends is not None
    assert "60 s of the run's budget" in ends.over
    assert cleaning_until(replace(plain, share=60.0)) is not None


def test_each_scenario_that_waits_has_its_turn() -> None:
    now = time.monotonic()
    asked = Target("http://127.0.0.1:1", deadline=now + 600.0, share=60.0)
    assert fair(asked, 100, 2).share == pytest.approx(24.0, abs=0.5)
    assert fair(asked, 1000, 2).share == LEAST
    assert fair(asked, 4, 2).share == 60.0
    assert fair(Target("http://127.0.0.1:1"), 4, 2).share is None


def test_the_slowest_answer_is_named() -> None:
    over = Deadline(time.monotonic() - 1.0, "its time was over")
    client = RecordingClient("http://127.0.0.1:1", {}, ROUTES, 1.0, over)
    for seconds, kind in ((2.0, "Sample"), (27.4, "CreateModel"), (0.1, "")):
        headers = {"x-tinker-request-type": kind}
        exchange = Exchange(0.0, "POST", "/api/v1/retrieve_future", headers, b"")
        exchange.operation, exchange.elapsed = ROUTES.operations["retrieve_future"], seconds
        client.exchanges.append(exchange)
    with pytest.raises(OutOfTime, match="its time was over; retrieve_future of Create"):
        client.call("healthz")
    client.close()


def test_what_had_not_enough_time_is_played_once_more(monkeypatch: pytest.MonkeyPatch) -> None:
    scenario, rules = load_scenarios()["training/one-step"], requirement_of()
    shares: list[float | None] = []

    def play(one: Scenario, asked: Target, *_: object) -> tuple[list[Verdict], list[Exchange]]:
        shares.append(asked.share)
        status = Status.NOT_JUDGED if len(shares) == 1 else Status.PASS
        return [Verdict(name, rules[name], status) for name in one.checks], []

    monkeypatch.setattr(runner, "play_scenario", play)
    asked = Target("http://127.0.0.1:1", deadline=time.monotonic() + 600.0, share=60.0)
    found = runner.Playing(Run(asked), ROUTES, rules, None, 2).all_of([scenario])
    assert {one.status for one in found[scenario.id]} == {Status.PASS}
    assert shares[0] == 60.0
    assert shares[1] is not None
    assert shares[1] > 1000.0


def test_what_an_earlier_check_had_no_time_for_is_not_the_suites_fault(quick_mock: str) -> None:
    def play(context: ScenarioContext) -> None:
        found: list[str] = []
        with context.check("models/create/promise"):
            found.append(context.model())
        with context.check("models/info/lora"):
            assert found[0]
        raise IndexError(found[1])

    checks = ("models/create/promise", "models/info/lora", "models/create/id-form")
    asked = replace(target(quick_mock), share=0.0)
    verdicts, _ = play_scenario(Scenario("late", checks, play), asked, ROUTES, requirement_of())
    assert {one.status for one in verdicts} == {Status.NOT_JUDGED}


def test_a_scenario_whose_time_is_over_blames_nobody_and_cleans_up(quick_mock: str) -> None:
    scenario, rules = load_scenarios()["training/one-step"], requirement_of()
    asked = replace(target(quick_mock), share=0.0)
    verdicts, sent = play_scenario(scenario, asked, ROUTES, rules)
    assert {one.status for one in verdicts} == {Status.NOT_JUDGED}
    assert all("the run's budget" in one.message for one in verdicts)
    assert not sent
