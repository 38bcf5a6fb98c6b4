"""Steering a running mock: its scenario, plans, scripts, snapshots, and its end."""

import copy
import itertools
import sys
from dataclasses import dataclass

from tinker_mock.server.control.snapshots import shelf_of
from tinker_mock.server.errors import Conflict, LimitReached
from tinker_mock.server.faults.injector import FaultInjector
from tinker_mock.server.faults.plans import Plan, Plans
from tinker_mock.server.journal import Journal
from tinker_mock.server.mutants import ActiveMutants
from tinker_mock.server.observation import Observer
from tinker_mock.server.queues import QueuePolicy
from tinker_mock.server.quirks import Quirk, quirk_of
from tinker_mock.server.scenarios.scenario import Scenario, load_scenario, read_scenario
from tinker_mock.server.service.backend import Backend
from tinker_mock.server.settings import Settings
from tinker_mock.server.state.store import State
from tinker_mock.server.wire.connection import ParkedWork
from tinker_mock.server.wire.exchange import App


@dataclass(frozen=True)
class Manners:
    """How a mock behaved when a snapshot was taken, counters of rules and plans included."""

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
        self.snapshots = shelf_of(backend)
        self._manners: dict[str, Manners] = {}
        self.closing = False
        self.shared = False
        """The state is several servers': whoever resets it does so for all."""
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

    async def take_snapshot(self, name: str | None = None) -> tuple[str, float]:
        """A copy of state, rule counters and plans, taken while no work runs: name, Unix time.

        Raises LimitReached, or Conflict for a name that is taken.
        """
        backend, shelf, most = self.backend, self.snapshots, self.settings.max_snapshots
        taken = await shelf.names()
        if len(taken) >= most:
            raise LimitReached(
                f"snapshots: this server holds {most} of them",
                rule=f"at most {most}",
                fix="delete one, or start the server with a higher --max-snapshots",
            )
        if name in taken:
            raise Conflict(
                f"name: there is a snapshot {name!r}",
                pointer="/name",
                rule="snapshots have different names",
                fix="delete it, or choose another name",
            )
        free = (f"snapshot-{number}" for number in self._numbers)
        name = name or next(one for one in free if one not in taken)
        self.remember()
        await backend.promises.pause()
        try:
            await shelf.take(name)
        finally:
            backend.promises.resume()
        scenario, plans = copy.deepcopy(self.scenario), copy.deepcopy(self.plans.plans)
        self._manners[name] = Manners(scenario, plans, backend.quirks.own)
        return name, (await shelf.names())[name]

    async def restore_snapshot(self, name: str) -> None:
        """Back to a snapshot, as often as wanted; waiting clients are woken and find what it
        says. KeyError for an unknown name.

        Plans and counters of rules come back while the process lives that took it, and has the
        state for itself.
        """
        promises, manners = self.backend.promises, self._manners.get(name)
        await promises.pause()
        try:
            if not self.shared:
                await self.snapshots.restore(name)
            promises.reload()
            self.policy.restart()
        finally:
            promises.resume()
        if manners is None or self.shared:
            self.recall()
            return
        self.plans.plans = copy.deepcopy(manners.plans)
        self.backend.quirks.own = manners.quirks
        self.use(copy.deepcopy(manners.scenario))

    async def forget_snapshot(self, name: str) -> None:
        """Remove a snapshot. KeyError for an unknown name."""
        await self.snapshots.forget(name)
        self._manners.pop(name, None)

    def remember(self) -> None:
        """Where states last, how the mock behaves does as well."""
        keeper = self.backend.store.keeper
        if keeper is not None:
            keeper.tell("scenario", self.scenario.text)
            keeper.tell("quirks", sorted(self.backend.quirks.own))
            keeper.tell("scripts", self.backend.scripts.told())

    def recall(self) -> None:
        """Behave as was remembered, where nothing else was asked for at the start."""
        keeper = self.backend.store.keeper
        if keeper is None:
            return
        text, quirks = keeper.fact("scenario"), keeper.fact("quirks")
        if text and self.settings.scenario is None:
            self.use_text(text)
        if quirks is not None and not self.backend.quirks.started_with:
            self.backend.quirks.own = frozenset(map(quirk_of, quirks))
        scripts = keeper.fact("scripts")
        if scripts is not None and self.settings.scripts is None:
            self.backend.scripts.bring_back(scripts)

    def reset(self) -> None:
        """As after a fresh start: state, journal, plans, scripts, scenario and quirks."""
        if not self.shared:
            self.backend.store.replace(State())
        self.backend.promises.reload()
        self.policy.restart()
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
