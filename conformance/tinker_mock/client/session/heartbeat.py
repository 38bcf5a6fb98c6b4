"""Telling the server, every ten seconds, that somebody still needs the session."""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from tinker_mock.client.errors import TinkerError, invalid
from tinker_mock.client.http.call import Call
from tinker_mock.client.http.transport import Transport

logger = logging.getLogger(__name__)

Ending = Literal["gone", "given_up"]


@dataclass(frozen=True, slots=True)
class HeartbeatSettings:
    """Seconds and counts; `None` never gives up."""

    interval: float = 10.0
    warn_after: float = 120.0
    timeout: float = 10.0
    max_failure_count: int | None = None
    max_failure_duration: float | None = None

    def __post_init__(self) -> None:
        if not (self.interval > 0 and self.timeout > 0 and self.warn_after >= 0):
            raise invalid("HeartbeatSettings: interval and timeout must be positive")


class Heartbeat:
    """One session's heartbeat. `beat` is one beat; `start` repeats it in a task."""

    def __init__(
        self,
        transport: Transport,
        session_id: str,
        settings: HeartbeatSettings | None = None,
        *,
        on_end: Callable[[Ending], None] | None = None,
    ) -> None:
        self._transport = transport
        self._clock = transport.clock
        self.session_id = session_id
        self.settings = settings or HeartbeatSettings()
        self._on_end = on_end
        self._failures = 0
        self._last_success = self._clock.monotonic()
        self._task: asyncio.Task[None] | None = None
        self.ending: Ending | None = None

    def call(self) -> Call:
        """The request of one beat: never retried, the next beat is the retry."""
        return Call(
            "POST",
            "/api/v1/session_heartbeat",
            json=self._body(),
            timeout=self.settings.timeout,
            max_retries=0,
            pool="session",
        )

    def _body(self) -> dict[str, str]:
        body = {"session_id": self.session_id, "type": "session_heartbeat"}
        if self._transport.config.preset.body_type == "omit":
            del body["type"]
        return body

    def start(self) -> None:
        """Beat in the background until stopped, or until the session is over."""
        self._task = asyncio.ensure_future(self._run())

    async def stop(self) -> None:
        """End the task."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None

    async def _run(self) -> None:
        while self.ending is None:
            await self._clock.sleep(self.settings.interval)
            await self.beat()

    async def beat(self) -> bool:
        """One beat. Returns whether the session goes on."""
        try:
            await self._transport.send(self.call())
        except TinkerError as error:
            self._failed(error)
        else:
            self._failures = 0
            self._last_success = self._clock.monotonic()
        return self.ending is None

    def _failed(self, error: TinkerError) -> None:
        self._failures += 1
        silent = self._clock.monotonic() - self._last_success
        limits = self.settings
        if error.status == 410:
            self._end("gone")
        elif _exceeds(self._failures, limits.max_failure_count) or _exceeds(
            silent, limits.max_failure_duration
        ):
            self._end("given_up")
        if silent >= limits.warn_after:
            logger.warning(
                "Heartbeat has failed for %dms for session %s. Last error: %s",
                silent * 1000,
                self.session_id,
                error,
            )

    def _end(self, ending: Ending) -> None:
        self.ending = ending
        logger.warning("session %s is over for its heartbeat: %s", self.session_id, ending)
        if self._on_end is not None:
            self._on_end(ending)


def _exceeds(value: float, limit: float | None) -> bool:
    return limit is not None and value > limit
