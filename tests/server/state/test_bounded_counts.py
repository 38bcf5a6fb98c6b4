"""What a mock remembers beside its records has an end too, whatever is sent."""

import io
import json
import threading
from types import SimpleNamespace
from typing import Any

import pytest

from tinker_mock.server.clock import ManualClock
from tinker_mock.server.errors import LimitReached
from tinker_mock.server.faults import plans, rules
from tinker_mock.server.faults.plans import Plans
from tinker_mock.server.faults.rules import Match, Rule, Subject
from tinker_mock.server.faults.subjects import identity
from tinker_mock.server.ids import IdSource
from tinker_mock.server.journal import request_log
from tinker_mock.server.journal.ring import Journal
from tinker_mock.server.observation import curves
from tinker_mock.server.observation.curves import BatchFigures, Curves
from tinker_mock.server.queues import rates
from tinker_mock.server.queues.rates import BillingGate, RateWindow
from tinker_mock.server.queues.rules import BillingPause, RateLimit
from tinker_mock.server.recent_counts import RecentCounts
from tinker_mock.server.state.store import Store
from tinker_mock.server.timers import TimerQueue


def test_recent_counts_forget_what_was_not_seen_for_longest() -> None:
    counts = RecentCounts(2)
    assert [counts.count(key) for key in "aabab"] == [1, 2, 1, 3, 2]
    assert counts.count("c") == 1
    assert (len(counts), counts["a"], counts["b"], counts["c"]) == (2, 0, 2, 1)


def test_a_rule_remembers_so_many_requests(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rules, "REMEMBERED", 50)
    rule = Rule("r", Match(chance=0.5, scope="request"), [()])
    for number in range(1000):
        rule.step_for(Subject("asample", f"POST /{number}"), 0)
    assert (len(rule.seen), len(rule.rolled)) == (50, 50)


def test_a_long_address_is_remembered_by_its_digest() -> None:
    def of(path: str) -> str:
        exchange: Any = SimpleNamespace(method="GET", path=path, raw_body=b"")
        return identity(exchange)

    assert of("/api").startswith("GET /api ")
    assert of("/" + "a" * 9000) != of("/" + "a" * 9001)
    assert len(of("/" + "a" * 9000)) < 100


def test_completed_plans_give_way(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plans, "MOST_PLANS", 3)
    held = Plans(IdSource(1, Store()), ["asample"])
    first = held.create({"asample": "drop"})
    for _ in range(2):
        held.create({"asample": "drop"})
    with pytest.raises(LimitReached, match="plans"):
        held.create({"asample": "drop"})
    first.take("asample")
    held.create({"asample": "drop"})
    assert len(held.plans) == 3
    assert first.id not in held.plans


def test_rates_are_counted_for_so_many_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rates, "MOST_KEYS", 10)
    clock = ManualClock()
    limit = RateLimit(("*",), requests=1, seconds=60.0, mode="reject")
    window, gate = RateWindow(limit, clock), BillingGate(BillingPause(1, 60.0), clock)
    for number in range(100):
        window.reject(f"key-{number}")
        gate.check(f"key-{number}")
    assert len(window.starts) == 10
    assert len(gate.accepted) <= 10
    assert window.delay("key-99") == 60.0
    assert window.delay("key-0") == 0.0


def test_cancelled_timers_do_not_pile_up_behind_one_that_never_fires() -> None:
    queue, fired = TimerQueue(), list[str]()
    queue.add(1.0, lambda: fired.append("first"), False)
    for number in range(10_000):
        queue.add(2.0 + number, lambda: None, False).cancel()
    assert len(queue._heap) < 600
    timer = queue.pop_due(5.0)
    assert timer is not None
    assert timer.callback is not None
    timer.callback()
    assert fired == ["first"]
    assert queue.pop_due(1e9) is None


def test_curves_keep_so_many_points_of_all_models(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(curves, "ALL_POINTS", 100)
    kept = Curves()
    for model in range(20):
        for step in range(30):
            kept.batch(f"m{model}", BatchFigures(1, 1.0), {"loss:sum": 1.0})
            kept.step(f"m{model}", step, float(step), {})
    assert sum(map(len, kept.points.values())) <= 100
    assert len(kept.points["m19"]) == 30


def test_models_that_never_step_are_forgotten_as_well(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(curves, "MODELS_KEPT", 5)
    monkeypatch.setattr(curves, "BATCHES_KEPT", 7)
    kept = Curves()
    for model in range(20):
        for _ in range(10):
            kept.batch(f"m{model}", BatchFigures(1, 1.0), {})
    assert len(kept._gathered) == 5
    assert {len(batches) for batches in kept._gathered.values()} == {7}


class Hanging(io.StringIO):
    """A terminal that is scrolled back until it is let go."""

    def __init__(self) -> None:
        super().__init__()
        self.stuck, self.free = threading.Event(), threading.Event()

    def write(self, text: str) -> int:
        self.stuck.set()
        self.free.wait(30)
        return super().write(text)


def test_a_terminal_that_hangs_costs_lines_and_no_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(request_log, "BACKLOG", 5)
    monkeypatch.setattr(request_log, "json_line", lambda entry: json.dumps({"n": entry}))
    journal, stream = Journal(ManualClock()), Hanging()
    with request_log.request_log(journal, "json", stream):
        (tell,) = journal.listeners
        entry: Any = 0
        tell(entry)
        assert stream.stuck.wait(30)
        for entry in range(1, 101):
            tell(entry)
        stream.free.set()
    lines = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert lines[0] == {"n": 0}
    assert {"left_out": 95} in lines
    assert [line["n"] for line in lines if "n" in line] == [0, 1, 2, 3, 4, 5]
