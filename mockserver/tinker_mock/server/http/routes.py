"""The contract's operations as routes, at the root and under the real service's prefix."""

import difflib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from starlette.applications import Starlette
from starlette.routing import BaseRoute, Mount, Route, compile_path

from tinker_mock.contracts import Operation
from tinker_mock.server.errors import MethodNotAllowed, NotFound, ServiceError
from tinker_mock.server.http.endpoint import Endpoint
from tinker_mock.server.settings import PREFIXES
from tinker_mock.server.wire.exchange import Receive, Send


class PathApp:
    """An ASGI app for one path: dispatches by method."""

    def __init__(self, endpoint: Endpoint, path: str) -> None:
        self.endpoint = endpoint
        self.path = path
        self.operations: dict[str, Operation] = {}

    async def __call__(self, scope: Mapping[str, Any], receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await refuse_websocket(send)
            return
        operation = self.operations.get(scope["method"])
        refusal = None if operation is not None else self._refusal(scope["method"])
        await self.endpoint.run(operation, scope, receive, send, refusal)

    def _refusal(self, method: str) -> ServiceError:
        allowed = ", ".join(sorted(self.operations))
        error = MethodNotAllowed(
            f"{method} is not a method of {self.path}",
            rule=f"{self.path} takes {allowed}",
            fix=f"use {allowed}",
        )
        error.headers = {"Allow": allowed}
        return error


async def refuse_websocket(send: Send) -> None:
    """Answer an upgrade with 403: nothing here speaks WebSocket."""
    await send({"type": "websocket.close", "code": 1008, "reason": "no WebSocket here"})


class Unmatched:
    """Answers paths that no operation has, naming the nearest one."""

    def __init__(self, endpoint: Endpoint, operations: Iterable[Operation]) -> None:
        self.endpoint = endpoint
        self.known = {f"{op.method} {op.path}": op.id for op in operations}

    async def __call__(self, scope: Mapping[str, Any], receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await refuse_websocket(send)
        if scope["type"] == "http":
            refusal = self._refusal(scope["method"], scope["path"])
            await self.endpoint.run(None, scope, receive, send, refusal)

    def _refusal(self, method: str, path: str) -> NotFound:
        bare = next((path[len(p) :] for p in PREFIXES if p and path.startswith(p)), path)
        close = difflib.get_close_matches(f"{method} {bare}", self.known, n=1, cutoff=0.4)
        return NotFound(
            f"no operation is served at {method} {path}",
            rule="paths are those of the contract, at / or under /services/tinker-prod",
            fix=f"did you mean {close[0]} ({self.known[close[0]]})?" if close else "",
        )


class LateRoute(Route):
    """Starlette's for one path, whose pattern is compiled for the first request that needs it: most
    are answered before routes are tried."""

    def __init__(self, path: str, app: PathApp) -> None:
        self.path = self.name = path
        self.endpoint = self.app = app
        self.methods = None
        self.include_in_schema = False

    def __getattr__(self, name: str) -> Any:
        if name not in ("path_regex", "path_format", "param_convertors"):
            raise AttributeError(name)
        self.path_regex, self.path_format, self.param_convertors = compile_path(self.path)
        return vars(self)[name]


def routes_for(endpoint: Endpoint, operations: Iterable[Operation]) -> list[BaseRoute]:
    """One route per path; paths without parameters first, so that none is shadowed."""
    paths: dict[str, PathApp] = {}
    for operation in operations:
        addresses = [(operation.method, operation.path)]
        addresses += [(alias.method, alias.path) for alias in operation.aliases]
        for method, path in addresses:
            app = paths.setdefault(path, PathApp(endpoint, path))
            app.operations[method.upper()] = operation
    ordered = sorted(paths, key=lambda path: path.count("{"))
    return [LateRoute(pattern(path), paths[path]) for path in ordered]


class DirectApp(Starlette):
    """Hands requests for a path without parameters straight to the endpoint behind it.

    Starlette tries its routes in turn, behind two layers for errors that an endpoint never lets
    through.
    """

    def __init__(self, routes: list[BaseRoute], lifespan: Any) -> None:
        super().__init__(routes=routes, lifespan=lifespan)
        self._direct = dict(_direct(routes, ""))

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        path = self._direct.get(scope.get("path", ""))
        if path is None or scope["type"] != "http" or scope.get("root_path"):
            await super().__call__(scope, receive, send)
        else:
            await path(scope, receive, send)


def _direct(routes: Iterable[BaseRoute], prefix: str) -> Iterator[tuple[str, PathApp]]:
    """Later routes first: of two for a path the first one counts."""
    for route in reversed([*routes]):
        if isinstance(route, Mount):
            yield from _direct(route.routes, prefix + route.path)
        elif isinstance(route, Route) and "{" not in route.path:
            assert isinstance(route.endpoint, PathApp)
            yield prefix + route.path, route.endpoint


def pattern(path: str) -> str:
    """A contract's path as a route; names of models and checkpoint paths have slashes in them."""
    return path.replace("{model}", "{model:path}").replace("{tinker_path}", "{tinker_path:path}")


def mounted(routes: list[BaseRoute]) -> list[BaseRoute]:
    """The same routes at the root and under every prefix."""
    return [*routes, *(Mount(prefix, routes=routes) for prefix in PREFIXES if prefix)]
