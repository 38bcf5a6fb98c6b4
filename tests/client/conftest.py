"""What the client's tests share: a server that is a function, and time that never passes."""

import json
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import httpx
import pytest

from tinker_mock.client import ClientConfig, ManualClock, Preset
from tinker_mock.client.config import Environment

KEY = "tml-test-key"
Answer = httpx.Response | Exception | tuple[int, Any] | dict[str, Any]


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def clock() -> ManualClock:
    """Jumps to the next timer when everybody waits."""
    return ManualClock(autojump=True)


def config(preset: Preset | str = "python-0.7", **options: Any) -> ClientConfig:
    """A config that reads nothing from the machine's environment."""
    options = {"api_key": KEY, "base_url": "http://server", **options}
    return ClientConfig.resolve(environment=Environment(), preset=preset, **options)


class ScriptedServer(httpx.AsyncBaseTransport):
    """Answers by path: a list is used up one by one (the last stays), a function is called.

    `requests` are all requests seen; `bodies(path)` their JSON.
    """

    def __init__(self, answers: dict[str, Any]) -> None:
        self._answers = {
            path: iter(answer) if isinstance(answer, list) else answer
            for path, answer in answers.items()
        }
        self._last: dict[str, Answer] = {}
        self.requests: list[httpx.Request] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        await request.aread()
        self.requests.append(request)
        path = request.url.path.removeprefix("/api/v1/")
        if path not in self._answers:
            return httpx.Response(404, json={"detail": f"no such path: {path}"})
        answer = self._answers[path]
        if isinstance(answer, Iterator):
            answer = self._last[path] = next(answer, self._last.get(path))
        elif isinstance(answer, Callable):
            answer = answer(request)
        return _response(answer)

    def bodies(self, path: str) -> list[Any]:
        return [
            json.loads(request.content)
            for request in self.requests
            if request.url.path == f"/api/v1/{path}"
        ]

    def paths(self) -> list[str]:
        return [request.url.path.removeprefix("/api/v1/") for request in self.requests]


def _response(answer: Answer) -> httpx.Response:
    if isinstance(answer, Exception):
        raise answer
    if isinstance(answer, httpx.Response):
        return answer
    if isinstance(answer, tuple):
        return httpx.Response(answer[0], json=answer[1])
    return httpx.Response(200, json=answer)


SESSION: dict[str, Any] = {
    "create_session": {"session_id": "s"},
    "session_heartbeat": {"type": "session_heartbeat"},
    "telemetry": {"status": "accepted"},
}
MODEL: dict[str, Any] = {
    **SESSION,
    "create_model": {"request_id": "create", "model_id": "s:train:0"},
}


def promised(results: dict[str, Any]) -> Callable[[httpx.Request], Answer]:
    """`retrieve_future`, answering each request id with its result."""
    return lambda request: results[json.loads(request.content)["request_id"]]


def numbered(prefix: str) -> Callable[[httpx.Request], Answer]:
    """A submission endpoint whose request ids are the prefix and the sequence id."""
    return lambda request: {"request_id": f"{prefix}-{json.loads(request.content)['seq_id']}"}


def sorted_paths(paths: Sequence[str], wanted: set[str]) -> list[str]:
    return [path for path in paths if path in wanted]
