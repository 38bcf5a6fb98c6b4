"""What all clients of one `ServiceClient` share."""

import asyncio
import itertools
import logging
from collections.abc import Awaitable, Callable, Mapping
from random import Random
from typing import Any, TypeVar

import httpx

from tinker_mock.client.clock import Clock, RealClock
from tinker_mock.client.config import ClientConfig
from tinker_mock.client.errors import ApiStatusError, TinkerError
from tinker_mock.client.http.call import Call, PoolKind
from tinker_mock.client.http.jwt import JwtCredentials
from tinker_mock.client.http.requests import prepare_body
from tinker_mock.client.http.retry import Persistence
from tinker_mock.client.http.throttle import RateLimiter, shared_limiter
from tinker_mock.client.http.transport import Transport
from tinker_mock.client.semaphores import BytesSemaphore
from tinker_mock.client.session.heartbeat import Heartbeat, HeartbeatSettings
from tinker_mock.client.session.server_settings import DynamicSettings, ServerSettings
from tinker_mock.client.types.json import decode, encode_for, given
from tinker_mock.client.types.records import SessionCreated
from tinker_mock.client.watch.events import EventHub

logger = logging.getLogger(__name__)

T = TypeVar("T")
_SHORTEST_REFRESH = 10.0


class Connection:
    """Transport, server settings, the session with its counters, and rate limits.

    The session begins with the first call that needs one. `speaks_protobuf` is whether the
    server knows `client/config`, as all servers with protobuf do.
    """

    def __init__(
        self,
        config: ClientConfig,
        *,
        clock: Clock | None = None,
        random: Random | None = None,
        events: EventHub | None = None,
        http: httpx.AsyncBaseTransport | None = None,
        heartbeat: HeartbeatSettings | None = None,
    ) -> None:
        self.config = config
        self.preset = config.preset
        self.clock = clock or RealClock()
        self.random = random or Random()
        self.events = events or EventHub()
        self.transport = Transport(
            config, clock=self.clock, random=self.random, events=self.events, http=http
        )
        self.settings = ServerSettings()
        self.dynamic = DynamicSettings()
        self.speaks_protobuf = False
        self.session_id: str | None = None
        self.adopted = False
        self.closed = False
        self.reporter: Any = None
        self.model_numbers = itertools.count()
        self.sampler_numbers = itertools.count()
        self.loss_numbers = itertools.count()
        self.custom_losses: dict[str, Any] = {}
        self.response_bytes = self._response_budget()
        self._heartbeat_settings = heartbeat
        self._heartbeat: Heartbeat | None = None
        self._configured = False
        self._lock = asyncio.Lock()
        self._refreshing: asyncio.Future[None] | None = None
        self._cancellations: set[asyncio.Future[Any]] = set()
        self.on_session: list[Callable[[str], Awaitable[None]]] = []
        self.on_close: list[Callable[[], Awaitable[None]]] = []

    @property
    def limiter(self) -> RateLimiter:
        """The back-off shared with everybody who uses this server and key."""
        return shared_limiter(self.clock, self.config.base_url, self.config.api_key)

    @property
    def persistence(self) -> Persistence:
        billing = self.settings.billing_exception_max_pause_duration_sec
        return Persistence(
            self.clock,
            self.config.submission_window,
            billing if self.preset.pauses_on_billing else 0.0,
        )

    def abandon(self, request_id: str) -> None:
        """Tell the server, where it wants to know, that nobody waits for a promise any more."""
        if not self.dynamic.sample_cancel_enabled:
            return
        call = Call(
            "POST",
            "/api/v1/cancel_future",
            json={"request_id": request_id},
            timeout=30.0,
            max_retries=0,
            pool="futures",
        )
        task = asyncio.ensure_future(self.transport.send(call))
        self._cancellations.add(task)
        task.add_done_callback(self._cancellations.discard)

    async def close(self) -> None:
        """Stop the heartbeat and close all connections."""
        self.closed = True
        for hook in reversed(self.on_close):
            await hook()
        await asyncio.gather(*self._cancellations, return_exceptions=True)
        if self._refreshing is not None:
            self._refreshing.cancel()
            await asyncio.gather(self._refreshing, return_exceptions=True)
        await self.stop_heartbeat()
        await self.transport.close()

    async def stop_heartbeat(self) -> None:
        """The session needs no more heartbeats: it is about to be finished."""
        if self._heartbeat is not None:
            await self._heartbeat.stop()

    async def post(
        self, path: str, body: Any, *, pool: PoolKind = "rest", persist: bool = False, **limits: Any
    ) -> Any:
        """POST a body as the preset's client encodes it; returns the decoded JSON."""
        operation = path.removeprefix("/api/v1/")
        call = Call("POST", path, json=self.encode(body, operation), pool=pool, **limits)
        if not persist:
            return (await self.transport.send(call)).json()
        return (await self.persistence.run(lambda: self.transport.send(call))).json()

    def encode(
        self, body: Mapping[str, Any], operation: str = "", *, nulls: bool = True
    ) -> dict[str, Any]:
        """JSON values of an operation's body, with what the preset's client always sends.

        Without `nulls` where no client sends any.
        """
        full = {**self.preset.always_sent.get(operation, {}), **body}
        if self.preset.body_type == "omit":
            full.pop("type", None)
        dropped = not nulls or self.preset.body_nulls == "drop"
        return dict(prepare_body(encode_for(self.preset, full), drop_nulls=dropped))

    async def configure(self) -> None:
        """Ask the server how to behave, once. Servers of the first generation answer 404."""
        if self._configured or not self.preset.asks_client_config:
            return
        body = {"sdk_version": self.preset.sdk_version}
        try:
            answer = await self.post("/api/v1/client/config", body, pool="session", persist=True)
        except ApiStatusError as error:
            if error.status not in (404, 405):
                raise
            logger.info("the server has no client/config: JSON only, default limits")
        else:
            self.settings = decode(ServerSettings, answer)
            self.speaks_protobuf = True
        if self.settings.pjwt_auth_enabled:
            self.transport.credentials = JwtCredentials(self.transport)
        self.response_bytes = self._response_budget()
        self._configured = True

    async def refresh_dynamic(self) -> None:
        """Ask for what may change; 404 keeps the defaults."""
        body = {"sdk_version": self.preset.sdk_version}
        try:
            answer = await self.post(
                "/api/v1/client/dynamic_config", body, pool="session", max_retries=0, timeout=10.0
            )
        except ApiStatusError as error:
            if error.status != 404:
                raise
        else:
            self.dynamic = decode(DynamicSettings, answer)

    async def session(self) -> str:
        """The session's id; the first caller creates the session."""
        async with self._lock:
            if self.session_id is None:
                await self.configure()
                if self.speaks_protobuf and self.preset.asks_dynamic_config:
                    await self.refresh_dynamic()
                await self._create_session()
        assert self.session_id is not None
        return self.session_id

    async def adopt(self, session_id: str) -> None:
        """Work in a session that another process made and keeps alive."""
        async with self._lock:
            await self.configure()
            self.session_id, self.adopted = session_id, True

    def _response_budget(self) -> BytesSemaphore:
        return BytesSemaphore(self.settings.inflight_response_bytes_semaphore_size)

    async def _create_session(self) -> None:
        metadata = self.config.user_metadata
        if metadata is None and self.preset.session_user_metadata == "empty":
            metadata = {}
        body: dict[str, Any] = {
            "tags": list(self.config.tags),
            "user_metadata": metadata,
            "sdk_version": self.preset.sdk_version,
            "type": "create_session",
        }
        body |= given(project_id=self.config.project_id, display_name=self.config.display_name)
        answer = await self.post("/api/v1/create_session", body, pool="session")
        created = decode(SessionCreated, answer)
        for level, text in (
            (logging.INFO, created.info_message),
            (logging.WARNING, created.warning_message),
            (logging.ERROR, created.error_message),
        ):
            if text:
                logger.log(level, "%s", text)
        self.session_id = created.session_id
        self._heartbeat = Heartbeat(self.transport, created.session_id, self._heartbeat_settings)
        self._heartbeat.start()
        if self.speaks_protobuf and self.preset.asks_dynamic_config:
            self._refreshing = asyncio.ensure_future(self._keep_refreshing())
        for hook in self.on_session:
            await hook(created.session_id)

    async def _keep_refreshing(self) -> None:
        """Follow what the server changes while the session lasts; a failed look changes nothing."""
        while True:
            interval = max(_SHORTEST_REFRESH, self.dynamic.refresh_interval_sec)
            await self.clock.sleep(interval)
            try:
                await self.refresh_dynamic()
            except TinkerError as error:
                logger.info("client/dynamic_config could not be refreshed: %s", error)
