"""Puts a scenario on: the one object that owns policy, faults, plans and journal of a server."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from mockserver.faults.injector import FaultInjector
from mockserver.faults.plans import Plans
from mockserver.journal import Journal
from mockserver.promises import Limits
from mockserver.queues import QueuePolicy, QueueRules
from mockserver.scenarios.scenario import Scenario, load_scenario, read_scenario

if TYPE_CHECKING:
    from mockserver.simulator import Simulator

HEALTHY = Scenario("healthy", "Nothing goes wrong.", QueueRules())


class Director:
    """Attach one to a simulator before it serves: `Director(simulator)`."""

    def __init__(self, simulator: Simulator) -> None:
        settings = simulator.settings
        self.simulator = simulator
        self.original = settings
        self.operations = list(simulator.contract.operations)
        self.journal = Journal(simulator.clock, settings.journal_size)
        self.plans = Plans(simulator.ids, self.operations)
        self.policy = QueuePolicy(QueueRules(), simulator.clock, settings.seed)
        self.faults = FaultInjector(
            self.plans, simulator.clock, settings.seed, overrides=settings.control
        )
        simulator.journal = self.journal
        simulator.faults = self.faults
        simulator.policy = self.policy
        simulator.promises.finished_hooks.append(self.policy.finished)
        self.scenario = HEALTHY
        if settings.scenario:
            self.play(load_scenario(settings.scenario, self.operations))

    def play_text(self, text: str, source: str = "scenario.yaml") -> Scenario:
        """Put on a scenario given as YAML. Raises ScenarioError."""
        return self.play(read_scenario(text, source, self.operations))

    def play_name(self, name: str) -> Scenario:
        """Put on a shipped scenario. Raises ScenarioError."""
        return self.play(load_scenario(name, self.operations))

    def play(self, scenario: Scenario) -> Scenario:
        """From now on; work that already waits is judged by the new rules."""
        self.scenario = scenario
        self.faults.scenario = scenario
        queue, settings = scenario.queue, self.original
        self.policy.apply(queue)
        self.simulator.settings = replace(
            settings,
            result_retention=_or(queue.retention, settings.result_retention),
            long_poll=_or(queue.long_poll, settings.long_poll),
            session_timeout=_or(queue.session_timeout, settings.session_timeout),
        )
        limits = Limits(self.simulator.settings.result_retention, settings.gap_timeout)
        self.simulator.promises.limits = limits
        return scenario

    def reset(self) -> None:
        """As after a fresh start: state, journal, plans, and the scenario served with."""
        self.simulator.reset()
        self.journal.reset()
        self.plans.plans.clear()
        name = self.original.scenario
        self.play(load_scenario(name, self.operations) if name else HEALTHY)


def _or(value: float | None, default: float) -> float:
    return default if value is None else value
