"""The ASGI app: the contract's operations as routes over one simulator."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.applications import Starlette

from tinker_mock.server.control import control_routes
from tinker_mock.server.control.mock_control import Director
from tinker_mock.server.handlers.table import TEXT_HANDLERS, TINKER_HANDLERS, bind
from tinker_mock.server.http.endpoint import Pipeline
from tinker_mock.server.http.routes import Unmatched, mounted, routes_for
from tinker_mock.server.settings import Settings
from tinker_mock.server.simulator import Simulator


def create_app(settings: Settings | None = None) -> Starlette:
    """The app of a fresh simulation; `app.state.simulator` is the simulation.

    Raises ConfigurationError when the settings cannot work or an operation has no handler.
    """
    simulator = Simulator(settings or Settings())
    tinker = list(simulator.contract.operations.values())
    inference = list(simulator.inference.operations.values())
    operations = tinker + inference
    director = Director(simulator)
    handlers = bind(tinker, TINKER_HANDLERS) | bind(inference, TEXT_HANDLERS)
    pipeline = Pipeline(simulator, handlers)

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        yield
        simulator.close()

    steering = control_routes(director) if simulator.settings.control else []
    routes = [*mounted(routes_for(pipeline, operations)), *steering]
    app = Starlette(routes=routes, lifespan=lifespan)
    app.router.redirect_slashes = False
    app.router.default = Unmatched(pipeline, operations)
    app.state.simulator = simulator
    app.state.director = director
    return app
