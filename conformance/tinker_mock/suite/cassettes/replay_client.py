"""One direction: the reference client meets a recorded server.

The client runs the cassette's program again; its requests are answered from the cassette, and it
must come to the recorded values.
"""

import asyncio
from collections import defaultdict, deque
from typing import Any

import httpx

from tinker_mock.suite.cassettes.cassette import API, UNTIMELY, Cassette, Interaction
from tinker_mock.suite.cassettes.drivers import ReferenceDriver
from tinker_mock.suite.cassettes.ids import json_of
from tinker_mock.suite.cassettes.programs import PROGRAMS

PRESETS = {"tinker-0.7.0": "python-0.7", "tinker-0.38.0": "python-latest"}


class UnexpectedRequestError(AssertionError):
    """The client asked for something the recorded client never did."""


class RecordedServer(httpx.AsyncBaseTransport):
    """Answers like the recorded server: promises by their id, the rest in recorded order.

    `unused` are interactions nobody asked for.
    """

    def __init__(self, cassette: Cassette) -> None:
        self._answers: dict[tuple[str, ...], deque[Interaction]] = defaultdict(deque)
        for one in cassette.interactions:
            self._answers[_key(one.method, one.operation, one.request_body)].append(one)
        self._last: dict[tuple[str, ...], Interaction] = {}

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        body = await request.aread()
        operation = request.url.path.partition(API)[2]
        if operation in UNTIMELY:
            return httpx.Response(200, json={})
        if operation.endswith("/finish"):
            return httpx.Response(200, json={})
        key = _key(request.method, operation, body)
        if self._answers[key]:
            self._last[key] = self._answers[key].popleft()
        elif key not in self._last:
            raise UnexpectedRequestError(f"nobody recorded {' '.join(key)}")
        one = self._last[key]
        await asyncio.sleep(0)
        return httpx.Response(one.status, headers=one.response_headers, content=one.response_body)

    @property
    def unused(self) -> list[str]:
        return [" ".join(key) for key, left in self._answers.items() if left]


def _key(method: str, operation: str, body: bytes) -> tuple[str, ...]:
    """Polls are told apart by their promise."""
    if operation == "retrieve_future":
        return method, operation, str((json_of(body) or {}).get("request_id"))
    return method, operation


def replay_to_client(cassette: Cassette, preset: str | None = None) -> dict[str, Any]:
    """The values the reference client comes to, in the preset that fits the recorded client."""
    recorded = str(cassette.provenance["client"])
    driver = ReferenceDriver(
        "http://tinker", preset or PRESETS.get(recorded, recorded), RecordedServer(cassette)
    )
    try:
        values: dict[str, Any] = PROGRAMS[cassette.program](driver)
    finally:
        driver.close()
    return values
