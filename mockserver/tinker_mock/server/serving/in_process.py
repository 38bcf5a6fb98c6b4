"""The mock without a socket: the app on a loop of its own, behind a respx router."""

import asyncio
import threading
from collections.abc import Awaitable
from dataclasses import replace
from typing import Any

import httpx
import respx

from tinker_mock.server.app import create_app
from tinker_mock.server.settings import Settings

HTTPX_ONLY = {"use_pyqwest_transport": False}
DEFAULT_URL = "https://tinker.mock"


class InProcessMock:
    """An app with its own event loop in a thread; answers httpx requests from any other."""

    def __init__(self, settings: Settings, prefix: str) -> None:
        self.app = create_app(settings)
        self._prefix = prefix
        self._transport = httpx.ASGITransport(self.app)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    def start(self) -> None:
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._open(), self._loop).result()

    async def _open(self) -> None:
        self.app.state.mock.open()

    def stop(self) -> None:
        """End everything that waits, then the loop."""
        asyncio.run_coroutine_threadsafe(self._wind_up(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _wind_up(self) -> None:
        self.app.state.mock.close()
        rest = asyncio.all_tasks() - {asyncio.current_task()}
        for task in rest:
            task.cancel()
        await asyncio.gather(*rest, return_exceptions=True)

    def answer(self, request: httpx.Request) -> httpx.Response | Awaitable[httpx.Response]:
        """The response; awaitable when an event loop is running here, so as not to block it."""
        work = asyncio.run_coroutine_threadsafe(self._handle(request), self._loop)
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            return work.result()
        return asyncio.wrap_future(work)

    async def _handle(self, request: httpx.Request) -> httpx.Response:
        # The body was read by respx; a fresh request has a stream for this loop.
        path = request.url.raw_path.removeprefix(self._prefix.encode())
        url = request.url.copy_with(raw_path=path or b"/")
        inner = httpx.Request(request.method, url, headers=request.headers, content=request.content)
        response = await self._transport.handle_async_request(inner)
        content = await response.aread()
        return httpx.Response(response.status_code, headers=response.headers, content=content)


class TinkerRouter(respx.MockRouter):
    """A respx router whose only route is a mock; use as a context manager or decorator.

    The mock tells SDKs with a transport of their own (0.22 and later: pyqwest, which respx does
    not see) to use httpx's, by the switch that the service has for it.
    """

    def __init__(self, base_url: str = DEFAULT_URL, settings: Settings | None = None) -> None:
        super().__init__(assert_all_called=False)
        self.url = base_url
        asked = settings or Settings()
        self._settings = replace(asked, client_config={**HTTPX_ONLY, **asked.client_config})
        if not self._settings.base_url:
            self._settings = replace(self._settings, base_url=base_url.rstrip("/"))
        self._mock: InProcessMock | None = None
        self.route(url__startswith=base_url).mock(side_effect=self._side_effect)

    @property
    def app(self) -> Any:
        """The running app; its `state.mock` is the mock."""
        if self._mock is None:
            raise RuntimeError("the router is not started: use it as a context manager")
        return self._mock.app

    def start(self) -> None:
        prefix = httpx.URL(self.url).path.rstrip("/")
        self._mock = InProcessMock(self._settings, prefix)
        self._mock.start()
        super().start()

    def stop(self, clear: bool = True, reset: bool = True, quiet: bool = False) -> None:
        super().stop(clear=False, reset=reset, quiet=quiet)
        if self._mock is not None:
            self._mock.stop()
            self._mock = None

    def _side_effect(self, request: httpx.Request) -> Any:
        assert self._mock is not None
        return self._mock.answer(request)
