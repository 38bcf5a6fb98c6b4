"""The control contract's operations as routes: key, contract check, handler, error shape."""

from __future__ import annotations

import asyncio
import hmac
import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

import orjson
from starlette.routing import BaseRoute, Route

from tinker_mock.contracts import Operation, load_contract
from tinker_mock.contracts.schema import coerce
from tinker_mock.server.control import (
    clock,
    journal,
    metrics,
    mutants,
    plans,
    promises,
    scenario,
    scripts,
    state,
)
from tinker_mock.server.control.call import Call, Handler
from tinker_mock.server.errors import (
    BadRequest,
    ConfigurationError,
    MethodNotAllowed,
    ServiceError,
    Unauthenticated,
)
from tinker_mock.server.http.bodies import read_body
from tinker_mock.server.wire.exchange import Answer, Receive, Send
from tinker_mock.server.wire.problems import contract_breach, internal_error, problem

if TYPE_CHECKING:
    from tinker_mock.server.control.mock_control import Director

log = logging.getLogger(__name__)
KEY_HEADER = "x-tinker-mock-key"
CHAPTERS = (clock, journal, metrics, mutants, plans, promises, scenario, scripts, state)
HANDLERS: dict[str, Handler] = {
    name: handler for chapter in CHAPTERS for name, handler in chapter.HANDLERS.items()
}


def control_routes(director: Director) -> list[BaseRoute]:
    """One route per path. Raises ConfigurationError if an operation has no handler."""
    operations = load_contract("control").operations
    unbound = sorted(set(operations) ^ set(HANDLERS))
    if unbound:
        raise ConfigurationError(f"control contract and handlers differ: {', '.join(unbound)}")
    endpoints: dict[str, ControlEndpoint] = {}
    for operation in operations.values():
        endpoint = endpoints.setdefault(operation.path, ControlEndpoint(director, operation.path))
        endpoint.operations[operation.method] = operation
    return [Route(path, endpoint=endpoint) for path, endpoint in endpoints.items()]


class ControlEndpoint:
    """An ASGI app for one path of the control API."""

    def __init__(self, director: Director, path: str) -> None:
        self.director = director
        self.path = path
        self.operations: dict[str, Operation] = {}

    async def __call__(self, scope: Mapping[str, Any], receive: Receive, send: Send) -> None:
        body = await read_body(receive)
        work = asyncio.ensure_future(self._serve(scope, body, send))
        gone = asyncio.ensure_future(_hung_up(receive))
        parked = self.director.watching
        parked.add(work)
        try:
            await asyncio.wait({work, gone}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            parked.discard(work)
            for task in (work, gone):
                task.cancel()
            await asyncio.gather(work, gone, return_exceptions=True)

    async def _serve(self, scope: Mapping[str, Any], body: bytes, send: Send) -> None:
        try:
            answer = await self._answer(scope, body)
        except ServiceError as error:
            answer = problem(error)
        except Exception as error:
            log.exception("%s %s", scope["method"], scope["path"])
            answer = internal_error(error)
        await answer.send(send)

    async def _answer(self, scope: Mapping[str, Any], content: bytes) -> Answer:
        operation = self.operations.get(scope["method"])
        if operation is None:
            allowed = ", ".join(sorted(self.operations))
            raise MethodNotAllowed(
                f"{scope['method']} is not a method of {self.path}",
                rule=f"{self.path} takes {allowed}",
                fix=f"use {allowed}",
                headers={"Allow": allowed},
            )
        headers = {k.decode("latin-1").lower(): v.decode("latin-1") for k, v in scope["headers"]}
        if operation.security != []:
            self._check_key(headers)
        path = {name: str(value) for name, value in scope.get("path_params", {}).items()}
        query = dict(parse_qsl(scope.get("query_string", b"").decode("latin-1")))
        _refuse([*operation.check_path(path), *operation.check_query(query)])
        body = _decoded(content, operation)
        call = Call(self.director, path, _typed(query, operation), body, headers)
        return await HANDLERS[operation.id](call)

    def _check_key(self, headers: Mapping[str, str]) -> None:
        key = self.director.original.control_key
        if key is None or hmac.compare_digest(headers.get(KEY_HEADER, "").encode(), key.encode()):
            return
        raise Unauthenticated(
            "X-Tinker-Mock-Key: missing or wrong",
            pointer="header:X-Tinker-Mock-Key",
            rule="this mock was started with a control key",
            fix="send the key given as --control-key",
        )


async def _hung_up(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def _decoded(content: bytes, operation: Operation) -> Any:
    if not operation.request_types:
        return None
    try:
        body = orjson.loads(content)
    except orjson.JSONDecodeError as error:
        raise BadRequest(
            f"body: malformed JSON at byte {error.pos}: {error.msg}", fix="send a JSON body"
        ) from None
    _refuse(operation.check_request(body))
    return body


def _refuse(violations: list[Any]) -> None:
    if violations:
        raise contract_breach(violations)


def _typed(query: dict[str, str], operation: Operation) -> dict[str, Any]:
    typed = {}
    for parameter in operation.parameters:
        if parameter.place != "query":
            continue
        if parameter.name in query:
            typed[parameter.name] = coerce(parameter.schema, query[parameter.name])
        elif "default" in parameter.schema:
            typed[parameter.name] = parameter.schema["default"]
    return typed
