"""The contract's operations as routes, at the root and under the real service's prefix."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Protocol

from starlette.routing import BaseRoute, Mount, Route

from tinker_mock.server.errors import MethodNotAllowed, NotFound, ServiceError
from tinker_mock.server.settings import PREFIXES
from tinker_mock.server.wire.exchange import Receive, Send

if TYPE_CHECKING:
    from tinker_mock.contracts import Operation


OFTEN = {
    f"/api/v1/{name}" for name in ("retrieve_future", "asample", "forward_backward", "optim_step")
}
"""Routes are tried in order: what training loops ask all the time comes first."""


class Runs(Protocol):
    """What routes lead to: the pipeline, or the proxy in its place."""

    async def run(
        self,
        operation: Operation | None,
        scope: Mapping[str, Any],
        receive: Receive,
        send: Send,
        refusal: ServiceError | None = None,
    ) -> None: ...


class PathEndpoint:
    """An ASGI app for one path: dispatches by method."""

    def __init__(self, pipeline: Runs, path: str) -> None:
        self.pipeline = pipeline
        self.path = path
        self.operations: dict[str, Operation] = {}

    async def __call__(self, scope: Mapping[str, Any], receive: Receive, send: Send) -> None:
        operation = self.operations.get(scope["method"])
        refusal = None if operation is not None else self._refusal(scope["method"])
        await self.pipeline.run(operation, scope, receive, send, refusal)

    def _refusal(self, method: str) -> ServiceError:
        allowed = ", ".join(sorted(self.operations))
        error = MethodNotAllowed(
            f"{method} is not a method of {self.path}",
            rule=f"{self.path} takes {allowed}",
            fix=f"use {allowed}",
        )
        error.headers = {"Allow": allowed}
        return error


class Unmatched:
    """Answers paths that no operation has, naming the nearest one."""

    def __init__(self, pipeline: Runs, operations: Iterable[Operation]) -> None:
        self.pipeline = pipeline
        self.known = {f"{op.method} {op.path}": op.id for op in operations}

    async def __call__(self, scope: Mapping[str, Any], receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            refusal = self._refusal(scope["method"], scope["path"])
            await self.pipeline.run(None, scope, receive, send, refusal)

    def _refusal(self, method: str, path: str) -> NotFound:
        bare = next((path[len(p) :] for p in PREFIXES if p and path.startswith(p)), path)
        close = difflib.get_close_matches(f"{method} {bare}", self.known, n=1, cutoff=0.4)
        return NotFound(
            f"no operation is served at {method} {path}",
            rule="paths are those of the contract, at / or under /services/tinker-prod",
            fix=f"did you mean {close[0]} ({self.known[close[0]]})?" if close else "",
        )


def routes_for(pipeline: Runs, operations: Iterable[Operation]) -> list[BaseRoute]:
    """One route per path; paths without parameters first, so that none is shadowed."""
    endpoints: dict[str, PathEndpoint] = {}
    for operation in operations:
        addresses = [(operation.method, operation.path)]
        addresses += [(alias.method, alias.path) for alias in operation.aliases]
        for method, path in addresses:
            endpoint = endpoints.setdefault(path, PathEndpoint(pipeline, path))
            endpoint.operations[method.upper()] = operation
    ordered = sorted(endpoints, key=lambda path: (path not in OFTEN, path.count("{")))
    return [Route(pattern(path), endpoint=endpoints[path], methods=None) for path in ordered]


def pattern(path: str) -> str:
    """A contract's path as a route; names of models have slashes in them."""
    return path.replace("{model}", "{model:path}")


def mounted(routes: list[BaseRoute]) -> list[BaseRoute]:
    """The same routes at the root and under every prefix."""
    return [*routes, *(Mount(prefix, routes=routes) for prefix in PREFIXES if prefix)]
