"""Puts a scenario on: the one object that owns policy, faults, plans and journal of a server."""

from __future__ import annotations

import asyncio
import copy
import itertools
import sys
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from tinker_mock.contracts import load_contract
from tinker_mock.server.errors import ConfigurationError
from tinker_mock.server.faults.injector import FaultInjector
from tinker_mock.server.faults.plans import Plan, Plans
from tinker_mock.server.journal import Journal
from tinker_mock.server.promises import Limits, Promise
from tinker_mock.server.queues import QueuePolicy, QueueRules
from tinker_mock.server.scenarios.scenario import Scenario, load_scenario, read_scenario
from tinker_mock.server.yaml_section import ScenarioError

if TYPE_CHECKING:
    from tinker_mock.server.simulator import Simulator, Snapshot

HEALTHY = Scenario("healthy", "Nothing goes wrong.", QueueRules())


@dataclass(frozen=True)
class Keepsake:
    """A snapshot with what belongs to the director."""

    snapshot: Snapshot
    taken_at: float
    scenario: Scenario
    plans: dict[str, Plan]


class Director:
    """Attach one to a simulator before it serves: `Director(simulator)`."""

    def __init__(self, simulator: Simulator) -> None:
        settings = simulator.settings
        self.simulator = simulator
        self.original = settings
        self.operations = [
            *simulator.contract.operations,
            *load_contract("inference").operations,
        ]
        self.journal = Journal(simulator.clock, settings.journal_size)
        self.plans = Plans(simulator.ids, self.operations)
        self.policy = QueuePolicy(QueueRules(), simulator.clock, settings.seed, self._alive)
        self.faults = FaultInjector(
            self.plans, simulator.clock, settings.seed, overrides=settings.control
        )
        simulator.journal = self.journal
        simulator.faults = self.faults
        simulator.policy = self.policy
        simulator.promises.finished_hooks.append(self.policy.finished)
        self.snapshots: dict[str, Keepsake] = {}
        self.scripts: list[dict[str, Any]] = []
        self.watching: set[asyncio.Future[None]] = set()
        self.closing = False
        self._numbers = itertools.count(1)
        self.scenario = HEALTHY
        if settings.scenario:
            try:
                self.play(load_scenario(settings.scenario, self.operations))
            except ScenarioError as error:
                raise ConfigurationError(str(error)) from error

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

    async def take_snapshot(self) -> tuple[str, Keepsake]:
        """A copy of state, rule counters and plans, under a new id."""
        snapshot = await self.simulator.snapshot()
        plans = copy.deepcopy(self.plans.plans)
        keepsake = Keepsake(snapshot, snapshot.taken_at, copy.deepcopy(self.scenario), plans)
        key = f"snapshot-{next(self._numbers)}"
        self.snapshots[key] = keepsake
        return key, keepsake

    async def restore_snapshot(self, key: str) -> None:
        """Back to a snapshot, which can be restored again. KeyError for an unknown id."""
        keepsake = self.snapshots[key]
        await self.simulator.restore(keepsake.snapshot)
        self.policy.restart()
        self.plans.plans = copy.deepcopy(keepsake.plans)
        self.play(copy.deepcopy(keepsake.scenario))

    def _alive(self, promise: Promise) -> None:
        """A client that polls is there, though its heartbeats keep another time than a clock
        that jumps."""
        session = self.simulator.state.sessions.get(promise.session_id)
        if session is not None:
            session.last_heartbeat = max(session.last_heartbeat, self.simulator.clock.now())

    def close(self) -> None:
        """The server goes down: say so, and end everything that waits."""
        self.closing = True
        for task in list(self.watching):
            task.cancel()
        self.simulator.wake_parked()

    def farewell(self) -> int:
        """Print what was seen; the exit code that `fail_on` asks for."""
        print(self.journal.report(), file=sys.stderr)
        failing = self.original.fail_on == "violation" and self.journal.violations
        return 1 if failing else 0

    def clear_scripts(self) -> None:
        """Forget scripted answers."""
        self.scripts.clear()
        for base in self.simulator.bases.values():
            base.scripts.clear()

    def reset(self) -> None:
        """As after a fresh start: state, journal, plans, scripts, the scenario served with."""
        self.simulator.reset()
        self.policy.restart()
        self.journal.reset()
        self.plans.plans.clear()
        self.clear_scripts()
        name = self.original.scenario
        self.play(load_scenario(name, self.operations) if name else HEALTHY)


def _or(value: float | None, default: float) -> float:
    return default if value is None else value
