"""`TelemetryReporter`: gathers events and sends them in batches, never in the way of the work."""

import asyncio
import logging
import platform as platforms
import sys
import threading
import traceback
import uuid
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from tinker_mock.client.clock import within
from tinker_mock.client.config.presets import Preset
from tinker_mock.client.errors import TinkerError
from tinker_mock.client.http.call import Call
from tinker_mock.client.http.transport import Transport
from tinker_mock.client.telemetry.blame import user_error_in_chain
from tinker_mock.client.telemetry.capture import Capture
from tinker_mock.client.telemetry.events import (
    EventType,
    Severity,
    Stamp,
    duration_text,
    event,
    generic_event,
    iso_time,
)
from tinker_mock.client.telemetry.process import process_uuid
from tinker_mock.client.watch.events import Event

logger = logging.getLogger(__name__)

_PLATFORMS = {"win32": "win32", "darwin": "darwin"}
_QUIET = ("http.request.start", "regularizer.start", "custom_loss.start")
_FLUSH_TIMEOUT = 30.0


@dataclass(frozen=True, slots=True)
class ReporterSettings:
    """Counts and seconds."""

    queue_size: int = 10_000
    batch_size: int = 100
    flush_interval: float = 10.0
    http_timeout: float = 5.0
    max_retries: int = 3
    retry_base: float = 1.0


class TelemetryReporter:
    """One session's events. The first is SESSION_START, the last SESSION_END.

    Without a session (clients that only list and look) there are neither, and the batches carry a
    name made up. Its methods may be called from any thread.
    When the queue is full, new events are dropped; when the server does not take a batch after all
    retries, the batch is.
    """

    def __init__(
        self,
        transport: Transport,
        session_id: str | None,
        settings: ReporterSettings | None = None,
        *,
        platform: str | None = None,
        new_id: Callable[[], str] = lambda: uuid.uuid4().hex,
    ) -> None:
        self._transport = transport
        self._clock = transport.clock
        self._session_id = session_id or f"sessionless-{uuid.uuid4()}"
        self._settings = settings or ReporterSettings()
        self._preset = transport.config.preset
        self._platform = platform or _platform(self._preset)
        self._new_id = new_id
        self._queue: deque[dict[str, Any]] = deque()
        self._next_index = 0
        self._started = self._clock.now()
        self._ended = session_id is None
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._wake = asyncio.Event()
        self._sending = asyncio.Lock()
        self._task: asyncio.Task[None] | None = None
        if session_id is not None:
            self._put(event(EventType.SESSION_START, self._stamp(), Severity.INFO))

    def start(self) -> None:
        """Flush in the background: every interval, and whenever a batch is full."""
        self._loop = asyncio.get_running_loop()
        self._task = asyncio.ensure_future(self._run())

    async def stop(self) -> None:
        """Add SESSION_END, once, and send what is left."""
        self._end()
        if self._task is not None:
            with suppress(TimeoutError):  # what is being sent shall not be lost
                await within(self._clock, self._idle(), self._settings.http_timeout)
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None
        await self.flush(retries=0)

    async def log_fatal_exception(
        self, error: BaseException, severity: Severity = Severity.ERROR
    ) -> bool:
        """Add an exception that ends the session, and SESSION_END; returns when both are sent."""
        found_room = self.log_exception(error, severity)
        self._end()
        await self.wait_until_drained()
        return found_room

    async def wait_until_drained(self, timeout: float = _FLUSH_TIMEOUT) -> bool:
        """Send what is there now; whether that came to its end within `timeout` seconds."""
        try:
            await within(self._clock, self.flush(), timeout)
        except TimeoutError:
            return False
        return True

    def log_fatal_exception_sync(
        self, error: BaseException, severity: Severity = Severity.ERROR
    ) -> bool:
        """As `log_fatal_exception`, without an event loop; inside one it does not wait."""
        found_room = self.log_exception(error, severity)
        self._end()
        if self._loop is not None and not _in_a_loop():
            sent = asyncio.run_coroutine_threadsafe(self.wait_until_drained(), self._loop)
            with suppress(TimeoutError):
                sent.result(_FLUSH_TIMEOUT)
        return found_room

    def capture_exceptions(
        self, severity: Severity = Severity.ERROR, *, fatal: bool = False
    ) -> Capture:
        """As the function `capture_exceptions`, for this reporter."""
        return Capture(self, severity, fatal)

    def log(
        self, name: str, data: Mapping[str, Any] | None = None, severity: Severity = Severity.INFO
    ) -> bool:
        """Add a generic event. Returns whether it found room."""
        return self._put(generic_event(self._stamp(), name, data, severity))

    def log_exception(self, error: BaseException, severity: Severity = Severity.ERROR) -> bool:
        """Add an exception and send soon; the user's own fault is only a generic warning."""
        blamed = user_error_in_chain(error)
        if blamed is not None:
            found_room = self.log("user_error", _user_error_data(blamed), Severity.WARNING)
        else:
            told = {
                "error_type": type(error).__name__,
                "error_message": str(error),
                "traceback": "".join(traceback.format_exception(error)) or None,
            }
            kind = EventType.UNHANDLED_EXCEPTION
            found_room = self._put(event(kind, self._stamp(), severity, **told))
        self._flush_soon()
        return found_room

    def log_exception_sync(self, error: BaseException, severity: Severity = Severity.ERROR) -> bool:
        """As `log_exception`."""
        return self.log_exception(error, severity)

    def on_event(self, happened: Event) -> None:
        """A subscriber for the client's own events; telemetry does not tell of itself."""
        if happened.name in _QUIET or happened.data.get("pool") == "telemetry":
            return
        data = {
            name: value
            for name, value in happened.data.items()
            if isinstance(value, (str, int, float, bool, type(None)))
        }
        bad = happened.data.get("error") is not None
        self.log(happened.name, data, Severity.WARNING if bad else Severity.INFO)

    def on_failure(self, happened: Event) -> None:
        """A subscriber for operations that ended in an error which the caller gets."""
        self.log_exception(happened.data["error"])

    async def flush(self, *, retries: int | None = None) -> None:
        """Send everything gathered so far, batch by batch; a failing batch is dropped."""
        retries = self._settings.max_retries if retries is None else retries
        async with self._sending:
            while self._queue:
                count = min(len(self._queue), self._settings.batch_size)
                batch = [self._queue.popleft() for _ in range(count)]
                await self._send(batch, retries)

    def request(self, batch: list[dict[str, Any]]) -> Call:
        """The call for one batch."""
        body = {
            "session_id": self._session_id,
            "platform": self._platform,
            "sdk_version": self._transport.config.preset.sdk_version,
            **({"process_uuid": process_uuid()} if self._preset.telemetry_names_process else {}),
            "events": batch,
        }
        return Call(
            "POST",
            "/api/v1/telemetry",
            json=body,
            timeout=self._settings.http_timeout,
            max_retries=0,
            pool="telemetry",
        )

    async def _send(self, batch: list[dict[str, Any]], retries: int) -> None:
        attempt = 0
        while True:
            try:
                await self._transport.send(self.request(batch))
                return
            except TinkerError as error:
                if error.user_error or attempt == retries:
                    logger.warning("telemetry failed after %d retries: %s", attempt, error)
                    return
            jitter = 1 + 0.1 * self._transport.random.random()
            await self._clock.sleep(self._settings.retry_base * 2.0**attempt * jitter)
            attempt += 1

    async def _run(self) -> None:
        while True:
            self._wake.clear()
            timer = asyncio.ensure_future(self._clock.sleep(self._settings.flush_interval))
            full = asyncio.ensure_future(self._wake.wait())
            try:
                await asyncio.wait({timer, full}, return_when=asyncio.FIRST_COMPLETED)
            finally:
                timer.cancel()
                full.cancel()
            await self.flush()

    async def _idle(self) -> None:
        async with self._sending:
            return

    def _end(self) -> None:
        if not self._ended:
            self._ended = True
            duration = duration_text(self._clock.now() - self._started)
            stamp = self._stamp()
            self._put(event(EventType.SESSION_END, stamp, Severity.INFO, duration=duration))

    def _put(self, entry: dict[str, Any]) -> bool:
        if len(self._queue) >= self._settings.queue_size:
            return False
        self._queue.append(entry)
        if len(self._queue) >= self._settings.batch_size:
            self._flush_soon()
        return True

    def _flush_soon(self) -> None:
        """Wake the background task, from whatever thread."""
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._wake.set)

    def _stamp(self) -> Stamp:
        with self._lock:
            index, self._next_index = self._next_index, self._next_index + 1
        return Stamp(self._new_id(), index, iso_time(self._clock.now()))


def _platform(preset: Preset) -> str:
    if preset.telemetry_platform == "system":
        return platforms.system()
    return _PLATFORMS.get(sys.platform, "unix/linux")


def _in_a_loop() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


def _user_error_data(error: Any) -> dict[str, Any]:
    body = getattr(error, "data", None)
    return {
        "error_type": type(error).__name__,
        "message": str(error),
        "status_code": getattr(error, "status", None),
        "body": {key: value for key, value in (body or {}).items() if key != "headers"} or None,
    }
