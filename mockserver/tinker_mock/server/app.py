"""The composition root: builds every part of a mock, complete, and is alone in knowing them all."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import date
from typing import TYPE_CHECKING, Any

from starlette.applications import Starlette

from tinker_mock.contracts import Operation, load_contract
from tinker_mock.server.access import Access
from tinker_mock.server.catalog import Catalog, today_of
from tinker_mock.server.clock import Clock, clock_from
from tinker_mock.server.control import across_servers
from tinker_mock.server.control.answerer import ControlAnswerer
from tinker_mock.server.control.front_door import FrontDoor
from tinker_mock.server.control.mock_control import MockControl
from tinker_mock.server.errors import ConfigurationError
from tinker_mock.server.faults.injector import FaultInjector
from tinker_mock.server.faults.plans import Plans
from tinker_mock.server.handlers.answerer import MockAnswerer
from tinker_mock.server.handlers.table import handlers_of
from tinker_mock.server.http.endpoint import Answerer, Endpoint
from tinker_mock.server.http.request_check import RequestRules
from tinker_mock.server.http.routes import DirectApp, Unmatched, mounted, routes_for
from tinker_mock.server.http.traffic import PlainTraffic, SimulatedTraffic
from tinker_mock.server.ids import IdSource
from tinker_mock.server.journal import Journal
from tinker_mock.server.lazy_module import LazyModule, loaded
from tinker_mock.server.mutants import ActiveMutants, MutantError
from tinker_mock.server.observation import Observer
from tinker_mock.server.promises import PromiseBook
from tinker_mock.server.queues import QueuePolicy
from tinker_mock.server.quirks import ActiveQuirks, UnknownQuirk
from tinker_mock.server.scenarios.scenario import Scenario, healthy, load_scenario
from tinker_mock.server.scripts import ScriptFault, Scripts, scripts_from
from tinker_mock.server.service import housekeeping, sessions
from tinker_mock.server.service.authentication import Authenticator
from tinker_mock.server.service.backend import Backend
from tinker_mock.server.service.batches import Batcher
from tinker_mock.server.service.compute import Compute
from tinker_mock.server.service.roles import Grant
from tinker_mock.server.settings import Settings
from tinker_mock.server.signer import Signer, drawn_secret
from tinker_mock.server.state.promise import Promise
from tinker_mock.server.state.store import State, Store
from tinker_mock.server.text.error_shapes import ErrorShapes
from tinker_mock.server.wire.connection import ParkedWork
from tinker_mock.server.wire.intake import Intake
from tinker_mock.server.yaml_section import ScenarioError

if TYPE_CHECKING:
    from tinker_mock.server.cluster import sharing
    from tinker_mock.server.cluster.cluster import Cluster
    from tinker_mock.server.database import directory
    from tinker_mock.server.engine import BaseModel
    from tinker_mock.server.service import operations
else:
    directory = LazyModule("tinker_mock.server.database.directory", rare=True)
    sharing = LazyModule("tinker_mock.server.cluster.sharing", rare=True)
    operations = LazyModule("tinker_mock.server.service.operations")


@dataclass(frozen=True)
class Mock:
    """A running mock: what its services use, how it is steered, and the way in."""

    backend: Backend
    control: MockControl
    endpoint: Endpoint
    cluster: Cluster | None = None
    """The servers that share the store, this one among them."""
    script_warnings: list[str] = field(default_factory=list)
    """What may keep scripts of the start from firing."""

    @property
    def clock(self) -> Clock:
        """The server's time."""
        return self.backend.clock

    @property
    def state(self) -> State:
        """The records as they are now; touch them on the server's own loop."""
        return self.backend.state

    @property
    def journal(self) -> Journal:
        """What happened on the wire."""
        return self.control.journal

    def open(self) -> None:
        """On the loop that serves: go on with what a data directory holds."""
        if self.backend.store.keeper is not None:
            self.control.recall()
            sessions.all_here(self.backend)
            self.backend.promises.reload()

    def close(self) -> None:
        """Stop all work, and let go of what is kept."""
        self.control.close()
        self.backend.promises.stop()
        self.backend.compute.close()
        if self.backend.store.keeper is not None:
            self.backend.store.keeper.close()


def create_app(settings: Settings | None = None) -> Starlette:
    """The app of a fresh mock, which is its `state.mock`.

    Raises ConfigurationError when the settings cannot work or an operation has no handler.
    """
    settings = settings or Settings()
    handlers = handlers_of(_operations())

    def answerer(backend: Backend) -> Answerer:
        return MockAnswerer(backend, handlers)

    rules = RequestRules(strict=settings.strict)
    mock = build(settings, answerer, rules)
    app = app_of(mock)
    if mock.cluster is not None:
        app.state.for_servers = app_for_servers(mock, answerer(mock.backend), rules)
    return app


def build(
    settings: Settings,
    answerer: Callable[[Backend], Answerer],
    rules: RequestRules,
    server: str = "mock",
) -> Mock:
    """Every part of a mock. `server` is who its journal blames for a wrong answer."""
    names = [operation.id for operation in _operations()]
    scenario = _scenario(settings, names)
    mutants = _mutants(settings)
    quirks = _quirks(settings)
    clock = _clock(settings)
    policy = QueuePolicy(scenario.queue, clock, settings.seed, settings.limits, settings.cycle)
    store, secret = _store(settings, clock)
    observer = Observer(store, clock)
    backend = _backend(settings, clock, policy, store, Signer(secret), observer, quirks)
    script_warnings = _start_scripts(settings, backend)
    parked = ParkedWork()
    journal = Journal(
        clock,
        settings.journal_size,
        settings.journal_memory,
        settings.journal_body,
        server=server,
    )
    plans = Plans(backend.ids, names)
    access = Access(settings)
    faults = FaultInjector(backend, access, plans, scenario.rules, parked)
    control = MockControl(
        backend,
        journal,
        policy,
        plans,
        faults,
        mutants,
        scenario,
        observer,
        parked,
        watching=ParkedWork(),
    )
    traffic = SimulatedTraffic(
        load_contract("tinker"), clock, journal, faults, mutants, backend.compute
    )
    intake = Intake(settings.body_limits)
    shapes = ErrorShapes(backend.quirks)
    cluster = None if settings.store is None else sharing.joined(backend)
    local = answerer(backend)
    if cluster is not None:
        cluster.recall = control.recall
        control.shared = True
    endpoint = Endpoint(
        local if cluster is None else sharing.answerer_of_clients(local, cluster),
        traffic,
        parked,
        intake,
        access,
        backend.compute,
        rules if cluster is None else replace(rules, refuse=False),
        settings.base_url,
        shapes,
    )
    return Mock(backend, control, endpoint, cluster, script_warnings)


def _store(settings: Settings, clock: Clock) -> tuple[Store, bytes]:
    """Where the state is, and the secret that belongs to it."""
    given = settings.secret.encode() if settings.secret else None
    if settings.store is not None:
        store, secret = sharing.shared_state(settings, clock)
        return store, given or secret
    if settings.data_dir is None:
        return Store(), given or drawn_secret()
    keeper, kept = directory.lasting(settings.data_dir, settings.seed, clock)
    store = Store(keeper)
    store.current = keeper.load()
    return store, given or kept.secret(drawn_secret())


def _backend(
    settings: Settings,
    clock: Clock,
    policy: QueuePolicy,
    store: Store,
    signer: Signer,
    observer: Observer,
    quirks: ActiveQuirks,
) -> Backend:
    async def perform(promise: Promise) -> Any:
        await loaded(operations.perform)
        result = await operations.perform(backend, promise)
        if promise.open:  # nobody has ended it by hand meanwhile
            await observer.note(promise, result)
        return result

    def make_room() -> None:
        housekeeping.admit_tenant(backend)

    grants = [Grant.parse(text) for text in settings.keys]
    catalog = _catalog(settings, clock)
    bases: dict[str, BaseModel] = {}
    ids = IdSource(settings.seed, store)
    compute = Compute(clock, settings.work_limits)
    backend = Backend(
        settings=settings,
        store=store,
        clock=clock,
        ids=ids,
        signer=signer,
        catalog=catalog,
        authenticator=Authenticator(
            store, signer, clock, settings.jwt_lifetime, make_room, grants, settings.accept_keys
        ),
        promises=PromiseBook(
            store,
            clock,
            policy,
            perform,
            settings.kept_results,
            settings.max_queued,
            settings.max_results,
        ),
        compute=compute,
        batches=Batcher(compute.run, clock.busy),
        quirks=quirks,
        scripts=Scripts(catalog, bases),
        bases=bases,
    )
    return backend


def app_for_servers(mock: Mock, answerer: Answerer, rules: RequestRules) -> Starlette:
    """What the other servers of a store reach; faults of the wire are where the client is."""
    assert mock.cluster is not None
    clients = mock.endpoint
    endpoint = Endpoint(
        sharing.answerer_of_servers(answerer, mock.cluster),
        PlainTraffic(),
        clients.parked,
        clients.intake,
        clients.access,
        clients.compute,
        rules,
        shaped=clients.shaped,
    )
    contract = load_contract("control").operations
    console = Endpoint(
        across_servers.OwnersControlAnswerer(_console(mock), mock.cluster),
        PlainTraffic(),
        mock.control.watching,
        clients.intake,
        clients.access,
        clients.compute,
        RequestRules(content_types=False),
    )
    routes = [*routes_for(endpoint, _operations()), *routes_for(console, contract.values())]
    return DirectApp(routes, lifespan=None)


def _console(mock: Mock) -> ControlAnswerer:
    return ControlAnswerer(mock.control, mock.endpoint.access, load_contract("control").operations)


def app_of(mock: Mock, closing: Callable[[], Awaitable[None]] | None = None) -> Starlette:
    """The mock as an ASGI app; `closing` is awaited at its end."""

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        mock.open()
        if mock.cluster is not None:
            await mock.cluster.open()
        yield
        if closing is not None:
            await closing()
        if mock.cluster is not None:
            mock.cluster.leaving = True
        mock.close()
        if mock.cluster is not None:
            await mock.cluster.leave()

    served = _operations()
    routes = mounted(routes_for(mock.endpoint, served))
    fallback: Any = Unmatched(mock.endpoint, served)
    if mock.backend.settings.control:
        fallback = FrontDoor(fallback)
        contract = load_contract("control").operations
        access = mock.endpoint.access
        answerer: Answerer = _console(mock)
        if mock.cluster is not None:
            answerer = across_servers.SharedControlAnswerer(_console(mock), mock.cluster)
        console = Endpoint(
            answerer,
            PlainTraffic(),
            mock.control.watching,
            mock.endpoint.intake,
            access,
            mock.backend.compute,
            RequestRules(content_types=False),
        )
        routes += routes_for(console, contract.values())
    app = DirectApp(routes=routes, lifespan=lifespan)
    app.router.redirect_slashes = False
    app.router.default = fallback
    app.state.mock = mock
    mock.control.app = app
    return app


def _operations() -> list[Operation]:
    """What clients may ask for: Tinker's own operations and the text endpoints'."""
    tinker, inference = load_contract("tinker"), load_contract("inference")
    return [*tinker.operations.values(), *inference.operations.values()]


def _start_scripts(settings: Settings, backend: Backend) -> list[str]:
    try:
        return backend.scripts.begin_with(scripts_from(settings.scripts))
    except ScriptFault as fault:
        raise ConfigurationError(f"scripts: {fault}. {fault.fix}") from fault


def _catalog(settings: Settings, clock: Clock) -> Catalog:
    if settings.include_retired:
        return Catalog.load(settings.models)
    if settings.catalog_date is None:
        return Catalog.load(settings.models, today_of(clock.now))
    try:
        day = date.fromisoformat(settings.catalog_date)
    except ValueError:
        told = f"catalog_date: {settings.catalog_date!r} is no date; write it like 2026-06-12"
        raise ConfigurationError(told) from None
    return Catalog.load(settings.models, lambda: day)


def _scenario(settings: Settings, names: list[str]) -> Scenario:
    if not settings.scenario:
        return healthy()
    try:
        return load_scenario(settings.scenario, names)
    except ScenarioError as error:
        raise ConfigurationError(str(error)) from error


def _mutants(settings: Settings) -> ActiveMutants:
    try:
        return ActiveMutants(settings.break_check)
    except MutantError as error:
        raise ConfigurationError(str(error)) from error


def _quirks(settings: Settings) -> ActiveQuirks:
    try:
        return ActiveQuirks(settings.quirks)
    except UnknownQuirk as error:
        raise ConfigurationError(str(error)) from error


def _clock(settings: Settings) -> Clock:
    try:
        return clock_from(settings.clock)
    except ValueError as error:
        raise ConfigurationError(str(error)) from error
