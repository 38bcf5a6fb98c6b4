"""A server in a thread of this process, for tests: a real socket, the mock at hand."""

from __future__ import annotations

import asyncio
import threading
import warnings
from collections.abc import Coroutine
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar

from tinker_mock.server.scripts import AnswerFunction, Script, script_of
from tinker_mock.server.serving.command import bind_socket
from tinker_mock.server.serving.seen import Seen
from tinker_mock.server.serving.servers import serve_app
from tinker_mock.server.settings import Settings

if TYPE_CHECKING:
    from starlette.applications import Starlette

T = TypeVar("T")


class ScriptWarning(UserWarning):
    """A script that may not fire, and why."""


START_LIMIT = 30.0
GRACE = 10.0
"""Connections of a test that just ended are closed, however busy the machine is."""


class RunningServer:
    """A mock on a free port. Use as a context manager; `url` is where clients go.

    `call` runs a coroutine on the server's own loop, where its state may be touched.
    """

    def __init__(self, settings: Settings | None = None) -> None:
        asked = settings or Settings(port=0)
        self._listener = bind_socket(asked.host, asked.port)
        port = self._listener.getsockname()[1]
        self.settings = replace(asked, port=port, graceful_timeout=GRACE)
        self.url = f"http://{asked.host}:{self.settings.port}"
        self.app: Starlette
        self._loop: asyncio.AbstractEventLoop
        self._stop: asyncio.Event
        self._ready = threading.Event()
        self._failure: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="tinker-mock", daemon=True)

    def __enter__(self) -> RunningServer:
        self._thread.start()
        if not self._ready.wait(START_LIMIT):
            raise TimeoutError(f"the mock did not start within {START_LIMIT:g} s")
        if self._failure is not None:
            raise self._failure
        return self

    def __exit__(self, *_: object) -> None:
        if self._failure is None:
            self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()

    @property
    def mock(self) -> Any:
        """The mock itself. Its state changes on the server's loop: look through `call`."""
        return self.app.state.mock

    @property
    def journal(self) -> Seen:
        """What clients called, for assertions: `journal.last("optim_step").body`."""
        return Seen(self.mock.journal, self.call)

    def script(self, **told: Any) -> Script:
        """Answer prompts from now on: the fields are those of the YAML format.

        Raises ScriptFault for a script that can never fire. `fired` of what it returns counts.
        """
        return self._add(script_of(told))

    def answer(self, function: AnswerFunction, model: str = "*") -> Script:
        """Answer prompts with what the function makes of them, None for those it leaves alone."""
        return self._add(script_of({"name": function.__name__, "model": model}, function))

    def _add(self, script: Script) -> Script:
        async def add() -> list[str]:
            warnings: list[str] = self.mock.backend.scripts.add(script).warnings
            return warnings

        for warning in self.call(add()):
            warnings.warn(warning, ScriptWarning, stacklevel=3)
        return script

    def call(self, work: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine on the server's loop and return its result."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(START_LIMIT)

    def _run(self) -> None:
        try:
            asyncio.run(self._serve())
        except BaseException as error:
            self._failure = error
            self._listener.close()
            self._ready.set()

    async def _serve(self) -> None:
        from tinker_mock.server.app import create_app

        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        self.app = create_app(self.settings)

        async def until_stopped() -> None:
            self._ready.set()
            await self._stop.wait()

        await serve_app(self.app, self.settings, self._listener, until_stopped)
