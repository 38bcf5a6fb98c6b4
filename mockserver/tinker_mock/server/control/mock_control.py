"""Steering a running mock: its scenario, plans, scripts, snapshots, and its end."""

import copy
import itertools
import sys
from dataclasses import dataclass

from tinker_mock.server.errors import LimitReached
from tinker_mock.server.faults.injector import FaultInjector
from tinker_mock.server.faults.plans import Plan, Plans
from tinker_mock.server.journal import Journal
from tinker_mock.server.mutants import ActiveMutants
from tinker_mock.server.observation import Observer
from tinker_mock.server.queues import QueuePolicy
from tinker_mock.server.quirks import Quirk
from tinker_mock.server.scenarios.scenario import Scenario, load_scenario, read_scenario
from tinker_mock.server.service.backend import Backend
from tinker_mock.server.settings import Settings
from tinker_mock.server.state.store import State
from tinker_mock.server.wire.connection import ParkedWork
from tinker_mock.server.wire.exchange import App


@dataclass(frozen=True)
class ControlSnapshot:
    """Everything that a mock can be brought back to. `taken_at`: Unix seconds."""

    state: State
    taken_at: float
    scenario: Scenario
    plans: dict[str, Plan]
    quirks: frozenset[Quirk]


class MockControl:
    """What may be done to a mock while it runs, over HTTP or from a test."""

    def __init__(
        self,
        backend: Backend,
        journal: Journal,
        policy: QueuePolicy,
        plans: Plans,
        faults: FaultInjector,
        mutants: ActiveMutants,
        scenario: Scenario,
        observer: Observer,
        parked: ParkedWork,
        watching: ParkedWork,
    ) -> None:
        self.backend = backend
        self.journal = journal
        self.policy = policy
        self.plans = plans
        self.faults = faults
        self.mutants = mutants
        self.scenario = scenario
        self.observer = observer
        self.app: App
        """Where requests enter; set when the app is made of this mock."""
        self.parked = parked
        """Requests of clients that wait."""
        self.watching = watching
        """Requests of the control API that wait."""
        self.snapshots: dict[str, ControlSnapshot] = {}
        self.closing = False
        self._numbers = itertools.count(1)
        self._original = copy.deepcopy(scenario)
        backend.quirks.of_scenario = scenario.quirks

    @property
    def settings(self) -> Settings:
        """What the mock was started with."""
        return self.backend.settings

    def use_text(self, text: str, source: str = "scenario.yaml") -> Scenario:
        """Put on a scenario given as YAML. Raises ScenarioError."""
        return self.use(read_scenario(text, source, self.plans.operations))

    def use_name(self, name: str) -> Scenario:
        """Put on a shipped scenario. Raises ScenarioError."""
        return self.use(load_scenario(name, self.plans.operations))

    def use(self, scenario: Scenario) -> Scenario:
        """From now on; work that already waits is judged by the new rules."""
        self.scenario = scenario
        self.faults.rules = scenario.rules
        self.policy.apply(scenario.queue)
        self.backend.quirks.of_scenario = scenario.quirks
        return scenario

    async def take_snapshot(self) -> tuple[str, ControlSnapshot]:
        """A copy of state, rule counters and plans, under a new id, taken while no work runs.

        Raises LimitReached.
        """
        backend, most = self.backend, self.settings.max_snapshots
        if len(self.snapshots) >= most:
            raise LimitReached(
                f"snapshots: this server holds {most} of them",
                rule=f"at most {most}",
                fix="delete one, or start the server with a higher --max-snapshots",
            )
        await backend.promises.pause()
        try:
            state, taken_at = self._copied(backend.state), backend.clock.now()
        finally:
            backend.promises.resume()
        scenario, plans = copy.deepcopy(self.scenario), copy.deepcopy(self.plans.plans)
        snapshot = ControlSnapshot(state, taken_at, scenario, plans, backend.quirks.own)
        key = f"snapshot-{next(self._numbers)}"
        self.snapshots[key] = snapshot
        return key, snapshot

    async def restore_snapshot(self, key: str) -> None:
        """Back to a snapshot, as often as wanted; waiting clients are woken and find what it
        says. KeyError for an unknown id."""
        snapshot, promises = self.snapshots[key], self.backend.promises
        await promises.pause()
        self._continue_from(self._copied(snapshot.state))
        promises.resume()
        self.plans.plans = copy.deepcopy(snapshot.plans)
        self.backend.quirks.own = snapshot.quirks
        self.use(copy.deepcopy(snapshot.scenario))

    def reset(self) -> None:
        """As after a fresh start: state, journal, plans, scripts, scenario and quirks."""
        self._continue_from(State())
        self.journal.reset()
        self.observer.forget()
        self.plans.plans.clear()
        self.backend.scripts.restart()
        self.backend.quirks.own = self.backend.quirks.started_with
        self.use(copy.deepcopy(self._original))

    def close(self) -> None:
        """The server goes down: say so, and end everything that waits."""
        self.closing = True
        self.watching.wake()
        self.parked.wake()

    def exit_report(self) -> int:
        """Print what was seen; the exit code that `fail_on` asks for."""
        print(self.journal.report(), file=sys.stderr)
        failing = self.settings.fail_on == "violation" and self.journal.violations
        return 1 if failing else 0

    def _continue_from(self, state: State) -> None:
        self.backend.store.replace(state)
        self.backend.promises.reload()
        self.policy.restart()

    def _copied(self, state: State) -> State:
        return state.clone(list(self.backend.bases.values()))
