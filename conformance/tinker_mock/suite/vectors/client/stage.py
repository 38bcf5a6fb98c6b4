"""What the components share: a scripted server under the real client, and time that jumps."""

import asyncio
import io
import json
from collections.abc import Awaitable, Callable, Iterator, Mapping
from random import Random
from typing import Any, TypeVar

import httpx

from tinker_mock.client import AsyncServiceClient, ClientConfig, ManualClock, TinkerError
from tinker_mock.client.config import Environment
from tinker_mock.client.http.transport import Transport

T = TypeVar("T")
Component = Callable[[Any, Mapping[str, Any]], Any]
KEY = "tml-test-key"
API = "/api/v1/"


def config(preset: str = "tinkex", **options: Any) -> ClientConfig:
    """A config that ignores this machine's environment."""
    options = {"api_key": KEY, "base_url": "https://server", **options}
    return ClientConfig.resolve(environment=Environment(), preset=preset, **options)


def run(work: Awaitable[T]) -> T:
    """Run a coroutine to its end."""

    async def awaited() -> T:
        return await work

    return asyncio.run(awaited())


class Script(httpx.AsyncBaseTransport):
    """Answers in order, or by path; the last answer stays. Keeps all requests.

    An answer is a status, [status, body], {"status", "headers", "body"}, a body, an exception, or
    a function of the request.
    """

    def __init__(self, answers: Any) -> None:
        self._by_path = isinstance(answers, dict)
        self._answers: dict[str, Iterator[Any]] = {
            path: iter(answer if isinstance(answer, list) else [answer])
            for path, answer in (answers if self._by_path else {"": answers}).items()
        }
        self._last: dict[str, Any] = {}
        self.requests: list[httpx.Request] = []
        self.hold: Callable[[], Awaitable[None]] | None = None

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        await request.aread()
        if self.hold is not None:
            await self.hold()
        self.requests.append(request)
        path = request.url.path.removeprefix(API) if self._by_path else ""
        if path not in self._answers:
            return httpx.Response(404, json={"message": f"no such path: {path}"})
        answer = self._last[path] = next(self._answers[path], self._last.get(path))
        if callable(answer):
            answer = answer(request)
        return response(answer)

    def add(self, path: str, answer: Any) -> None:
        """One more path that is answered."""
        self._answers[path] = iter([answer])

    def bodies(self, path: str) -> list[Any]:
        """The JSON bodies sent to a path."""
        sent = [one for one in self.requests if one.url.path == API + path]
        return [json.loads(one.content) for one in sent]

    def line(self, index: int = -1) -> str:
        """A request as `METHOD /path?query`."""
        one = self.requests[index]
        return f"{one.method} {one.url.raw_path.decode()}"


def response(answer: Any) -> httpx.Response:
    """An httpx response from one of the answers a script may have."""
    if isinstance(answer, httpx.Response):
        return answer
    if isinstance(answer, Exception):
        raise answer
    if answer == "connection_error":
        raise httpx.ConnectError("refused")
    if isinstance(answer, int):
        return httpx.Response(answer, json={})
    if isinstance(answer, dict) and "status" in answer and isinstance(answer["status"], int):
        return httpx.Response(
            answer["status"], headers=answer.get("headers"), json=answer.get("body", {})
        )
    if isinstance(answer, (list, tuple)):
        return httpx.Response(answer[0], json=answer[1])
    return httpx.Response(200, json=answer)


class Stage:
    """A transport, or a whole service client, over a script."""

    def __init__(self, answers: Any, *, preset: str = "tinkex", **options: Any) -> None:
        self.script = Script(answers)
        self.clock = ManualClock(autojump=True)
        self.config = config(preset, **options)

    def transport(self) -> Transport:
        return Transport(self.config, clock=self.clock, random=Random(1), http=self.script)

    def service(self, **options: Any) -> AsyncServiceClient:
        """A service client whose time stands still, so that nothing beats in between."""
        return AsyncServiceClient(
            self.config, clock=ManualClock(), random=Random(1), http=self.script, **options
        )


SESSION: dict[str, Any] = {
    "create_session": {"session_id": "s"},
    "session_heartbeat": {},
    "telemetry": {"status": "accepted"},
}
MODEL: dict[str, Any] = {**SESSION, "create_model": {"model_id": "m", "type": "create_model"}}


def outcome(work: Callable[[], Any], success: Callable[[Any], Any] = lambda value: value) -> Any:
    """The value of a call, or its error as data."""
    try:
        return success(work())
    except TinkerError as error:
        return failure(error)


def failure(error: TinkerError) -> dict[str, Any]:
    """An error the way vectors write one."""
    from tinker_mock.suite.vectors.comparison import Partial

    fields = {
        "type": error.kind,
        "status": error.status,
        "category": error.category.value,
        "message": error.message,
        "user_error": error.user_error,
        "retryable": error.retryable,
    }
    return Partial(error=Partial(fields), error_status=error.status, error_type=error.kind)


def rejected(work: Callable[[], Any], name: str = "ArgumentError") -> Any:
    """`{"error": name, "error_text": ...}` if the call is rejected, else its value."""
    from tinker_mock.suite.vectors.comparison import Partial

    try:
        return work()
    except (TinkerError, TypeError, ValueError) as error:
        return Partial({"error": name, "error_text": str(error)})


class Captured:
    """Log lines of the client while the block runs."""

    def __init__(self) -> None:
        import logging

        self.stream = io.StringIO()
        self._handler = logging.StreamHandler(self.stream)
        self._logger = logging.getLogger("tinker_mock.client")

    def __enter__(self) -> "Captured":
        import logging

        self._level = self._logger.level
        self._logger.setLevel(logging.DEBUG)
        self._logger.addHandler(self._handler)
        return self

    def __exit__(self, *_: object) -> None:
        self._logger.removeHandler(self._handler)
        self._logger.setLevel(self._level)

    @property
    def text(self) -> str:
        return self.stream.getvalue()
