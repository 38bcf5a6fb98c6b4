"""The proxy as an ASGI app: the same routes, journal, faults and control API, another answerer."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
from starlette.applications import Starlette

from tinker_mock.server.control import control_routes
from tinker_mock.server.control.mock_control import Director
from tinker_mock.server.http.endpoint import Pipeline
from tinker_mock.server.http.routes import Unmatched, mounted, routes_for
from tinker_mock.server.http.upstream import Forwarder
from tinker_mock.server.settings import Settings
from tinker_mock.server.simulator import Simulator


def create_proxy(
    upstream: str,
    settings: Settings | None = None,
    transport: httpx.AsyncBaseTransport | None = None,
) -> Starlette:
    """An app that forwards to `upstream` (an address, with its path prefix if it has one).

    `transport` replaces the network, for tests.
    """
    simulator = Simulator(settings or Settings())
    director = Director(simulator)
    operations = [
        *simulator.contract.operations.values(),
        *simulator.inference.operations.values(),
    ]
    client = httpx.AsyncClient(base_url=upstream, transport=transport, timeout=None)
    forwarder = Forwarder(Pipeline(simulator, {}), client)

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        yield
        await client.aclose()
        simulator.close()

    steering = control_routes(director) if simulator.settings.control else []
    app = Starlette(
        routes=[*mounted(routes_for(forwarder, operations)), *steering], lifespan=lifespan
    )
    app.router.redirect_slashes = False
    app.router.default = Unmatched(forwarder, operations)
    app.state.simulator = simulator
    app.state.director = director
    return app
